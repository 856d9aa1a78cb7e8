"""How long after a commit each who watches is told."""

import asyncio
import time
from collections.abc import Sequence
from statistics import quantiles
from urllib.parse import urlsplit

import orjson

from benchmarks.gallery.events import Guest, HotEvent
from libs.common.database.database import Database
from libs.common.messaging.messages import PhotoMatched

#: Ids that no photo has.
FIRST_PHOTO = 1 << 40
PAUSE_SECONDS = 0.05
PATIENCE_SECONDS = 30


async def live_p99_ms(
    url: str, event: HotEvent, database: Database, *, streams: int, photos: int
) -> float:
    """Tell all who watch of some photos, one after the other."""
    watchers: Sequence[Guest] = event.guests[:streams]
    began: dict[int, float] = {}
    taken: list[float] = []
    open_streams = asyncio.Barrier(streams + 1)

    async def watch(guest: Guest) -> None:
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(
            f"GET /api/events/{event.id}/stream HTTP/1.1\r\nHost: bench\r\n"
            f"Authorization: Bearer {guest.token}\r\n\r\n".encode()
        )
        await reader.readuntil(b"retry:")
        await open_streams.wait()
        for _ in range(photos):
            await reader.readuntil(b"event: photo.matched\n")
            line = await reader.readuntil(b"\n")
            told = orjson.loads(line.removeprefix(b"data: "))
            taken.append(time.perf_counter() - began[told["photo_id"]])
        writer.close()

    async with asyncio.timeout(PATIENCE_SECONDS + photos), asyncio.TaskGroup() as tasks:
        for guest in watchers:
            tasks.create_task(watch(guest))
        await open_streams.wait()
        for photo_id in range(FIRST_PHOTO, FIRST_PHOTO + photos):
            async with database.unit_of_work() as unit:
                unit.publish(
                    PhotoMatched(
                        event_id=event.id,
                        photo_id=photo_id,
                        user_ids=tuple(guest.id for guest in watchers),
                    )
                )
                began[photo_id] = time.perf_counter()
            await asyncio.sleep(PAUSE_SECONDS)
    return quantiles(taken, n=100)[98] * 1e3

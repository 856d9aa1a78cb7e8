"""Live streams that nobody reads, on real sockets: they cost little, and nobody waits for them."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import httpx
import uvicorn
from prometheus_client import REGISTRY

from libs.common.messaging.messages import PhotoFailed
from libs.common.web.http_protocol import HttpProtocol
from services.gallery.gallery import Gallery
from services.gallery.live.subscription import BUFFERED_EVENTS
from services.gallery.live.updates import LiveUpdates
from tests.faults.sizes import short_and_long
from tests.gallery.streams import Stream, open_stream
from tests.gallery.world import World
from tests.support.http_server import server_of, url_of
from tests.support.people import Person
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.slow_clients import SlowClient, clients_of


@dataclass(frozen=True)
class Crowd:
    """So many streams that nobody reads, and more events than are kept for them."""

    unread: int
    events: int


SHORT = Crowd(unread=50, events=BUFFERED_EVENTS + 100)
LONG = Crowd(unread=400, events=20 * BUFFERED_EVENTS)
#: Twenty of them are more than all buffers of a connection hold.
REASON = "damaged " * 1000
#: Of asyncio's transports: when more waits, whoever sends does, too.
HIGH_WATER_BYTES = 64 * 1024


def live_of(world: World) -> LiveUpdates:
    gallery: Gallery = world.app.state.gallery
    return gallery.live


@contextlib.asynccontextmanager
async def unread_streams(
    server: uvicorn.Server, world: World, event_id: int, viewer: Person, count: int
) -> AsyncIterator[Sequence[SlowClient]]:
    # All are one person's, who may have six.
    live_of(world)._per_account = count + 1
    async with clients_of(url_of(server), count) as clients:
        for client in clients:
            await client.get(f"/api/events/{event_id}/stream", viewer.headers)
        await eventually(lambda: live_of(world)._by_account.total() >= count)
        yield clients


async def tell(world: World, event_id: int, stream: Stream, first: int, last: int) -> None:
    """Publish so many events, no faster than the stream that is read takes them."""
    for number in range(first, last):
        await world.publish(PhotoFailed(event_id=event_id, photo_id=number, reason=REASON))
        if number % 50 == 49:
            await stream.wait_for(number + 1)
    await stream.wait_for(last)


@short_and_long("crowd", SHORT, LONG)
async def test_streams_that_nobody_reads_hold_up_neither_other_streams_nor_lists(
    world: World, crowd: Crowd
) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    guest = await world.person(joined=event_id)
    await world.photo(event_id)
    overflows = REGISTRY.get_sample_value("findme_live_overflows_total") or 0
    async with (
        server_of(world.app, send_buffer_bytes=4096) as server,
        unread_streams(server, world, event_id, photographer, crowd.unread),
        httpx.AsyncClient(base_url=url_of(server), timeout=PATIENCE_SECONDS) as client,
        open_stream(client, event_id, photographer.headers) as read,
    ):
        await tell(world, event_id, read, 0, crowd.events)
        assert [data["photo_id"] for _, data in read.events] == list(range(crowd.events))
        answer = await client.get("/api/all-photos", headers=guest.headers)
        assert len(answer.json()) == 1
        assert (await client.get("/readyz")).status_code == 200
        # What is kept for them: a few hundred references, and what was being sent.
        waiting = [len(one._waiting) for one in live_of(world)._all()]
        assert len(waiting) == crowd.unread + 1
        assert max(waiting) <= BUFFERED_EVENTS
        assert REGISTRY.get_sample_value("findme_live_overflows_total") == overflows + crowd.unread
        for connection in server.server_state.connections:
            assert isinstance(connection, HttpProtocol)
            held = connection.transport.get_write_buffer_size()
            assert held < HIGH_WATER_BYTES + 2 * len(REASON)


@short_and_long("count", SHORT.unread, LONG.unread)
async def test_streams_that_nobody_reads_give_their_room_back(world: World, count: int) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    async with (
        server_of(world.app, send_buffer_bytes=4096, stall_seconds=3) as server,
        unread_streams(server, world, event_id, photographer, count) as clients,
        httpx.AsyncClient(base_url=url_of(server), timeout=PATIENCE_SECONDS) as client,
        open_stream(client, event_id, photographer.headers) as read,
    ):
        await tell(world, event_id, read, 0, 50)
        await eventually(lambda: live_of(world)._by_account.total() == 1)
        await tell(world, event_id, read, 50, 100)
        async with asyncio.timeout(PATIENCE_SECONDS):
            for unread in clients:
                await unread.read_to_the_end()


async def test_events_keep_their_order_whoever_writes_them(world: World) -> None:
    """At once where the client has taken all, by the stream's task where it has not."""
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    live = live_of(world)
    async with (
        server_of(world.app, send_buffer_bytes=4096) as server,
        clients_of(url_of(server), 1) as (slow,),
    ):
        await slow.get(f"/api/events/{event_id}/stream", photographer.headers)
        await eventually(lambda: live._by_account.total() == 1)
        received, told, waited = b"", 0, 0
        for burst in (1, 2, 100, 3, 1, 200, 50):
            for _ in range(burst):
                message = PhotoFailed(event_id=event_id, photo_id=told, reason="damaged " * 20)
                live.publish(message)
                waited = max(waited, len(live._all()[0]._waiting))
                told += 1
            async with asyncio.timeout(PATIENCE_SECONDS):
                while received.count(b"event: photo.failed") < told:
                    received += await slow.read(65536)
        assert waited > 0
        numbers = [int(number) for number in re.findall(rb'"photo_id":(\d+)', received)]
        assert numbers == list(range(told))

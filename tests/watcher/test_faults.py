"""The server is killed, the network cut, the watcher killed: every photo is there, each once."""

import asyncio
import hashlib
import os
import random
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from libs.common.web.auth import Role
from tests.faults.deployment import Deployment, deployed
from tests.faults.processes import Service
from tests.support.polling import eventually
from tests.support.tiny_jpeg import tiny_jpeg
from tests.watcher.conftest import key_of, sent_photos
from tests.watcher.proxy import BrokenNetwork

CLIENT = Path(__file__).parents[2] / "clients/watcher"
PATIENCE_SECONDS = 500.0
#: Larger than a piece of an upload in pieces.
LARGE_BYTES = 18 * 1024 * 1024


@dataclass
class Venue:
    """A folder of photos, a server behind a bad network, and the watcher between them."""

    deployment: Deployment
    ingest: Service
    network: BrokenNetwork
    event_id: int
    folder: Path
    environment: dict[str, str]
    rng: random.Random
    process: asyncio.subprocess.Process | None = None

    async def start_watcher(self, *options: str) -> asyncio.subprocess.Process:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "findme_watch",
            str(self.folder),
            *("--event", str(self.event_id), "--url", self.network.url, "--json"),
            *("--state", str(self.folder.parent / "state/manifest.sqlite3")),
            *("--still", "0.1", "--timeout", "5", *options),
            env=self.environment,
            stdout=asyncio.subprocess.DEVNULL,
        )
        return self.process

    async def kill_watcher(self) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    def upload_places(self) -> set[str]:
        """Where the watcher knows that uploads go on."""
        with sqlite3.connect(self.folder.parent / "state/manifest.sqlite3") as manifest:
            found = {str(url) for (url,) in manifest.execute("SELECT url FROM uploads")}
        manifest.close()
        return found

    async def photos(self) -> Counter[tuple[str, str]]:
        return await sent_photos(self.deployment.world, self.event_id)

    async def has(self, share: float, of: int) -> None:
        """Wait until so large a share of the photos is there."""

        async def enough() -> bool:
            return sum((await self.photos()).values()) >= share * of

        await eventually(enough, timeout=PATIENCE_SECONDS)


@asynccontextmanager
async def venue(
    database_url: str, amqp_url: str, folder: Path, rng: random.Random
) -> AsyncIterator[Venue]:
    async with deployed(database_url, amqp_url, folder) as deployment:
        world = deployment.world
        photographer = await world.person(Role.PHOTOGRAPHER)
        event_id = await world.event(photographer)
        ingest = await deployment.fleet.add("ingest", "services.ingest")
        await ingest.up()
        photos = folder / "photos"
        photos.mkdir()
        environment = os.environ | {
            "FINDME_KEY": await key_of(world, photographer.id),
            "PYTHONPATH": str(CLIENT),
        }
        network = BrokenNetwork(ingest.url, rng)
        async with network.running():
            place = Venue(deployment, ingest, network, event_id, photos, environment, rng)
            try:
                yield place
            finally:
                if place.process is not None:
                    await place.kill_watcher()


def write_photos(folder: Path, count: int) -> Counter[tuple[str, str]]:
    expected: Counter[tuple[str, str]] = Counter()
    for number in range(count):
        path = folder / f"day {number % 3}" / f"IMG_{number:04}.JPG"
        path.parent.mkdir(exist_ok=True)
        content = tiny_jpeg(f"photo {number}")
        path.write_bytes(content)
        expected[path.name, hashlib.sha256(content).hexdigest()] += 1
    return expected


async def send_all_through_faults(place: Venue, count: int, rounds: int) -> None:
    """Send so many photos while everything breaks, and compare the event with the folder."""
    expected = write_photos(place.folder, count)
    place.network.cut_after_bytes = 20_000
    watcher = await place.start_watcher()
    for fault in range(rounds):
        await place.has((fault + 0.5) / (rounds + 1), count)
        match fault % 3:
            case 0:
                await place.ingest.kill()
            case 1:
                await place.kill_watcher()
                watcher = await place.start_watcher()
            case _:
                place.network.down()
                await asyncio.sleep(place.rng.uniform(0.2, 1.0))
                place.network.up()
    await place.kill_watcher()
    # A run of its own sees that nothing is left, over the same network.
    watcher = await place.start_watcher("--once")
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await watcher.wait() == 0
    assert await place.photos() == expected
    assert place.network.cuts > rounds
    assert place.ingest.starts > 1


async def test_all_photos_are_there_once_though_server_network_and_watcher_are_killed(
    database_url: str, amqp_url: str, tmp_path: Path
) -> None:
    async with venue(database_url, amqp_url, tmp_path, random.Random(1)) as place:
        await send_all_through_faults(place, count=60, rounds=3)


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_thousand_photos_are_there_once_whatever_was_killed(
    database_url: str, amqp_url: str, tmp_path: Path, seed: int
) -> None:
    async with venue(database_url, amqp_url, tmp_path, random.Random(seed)) as place:
        await send_all_through_faults(place, count=1000, rounds=18)


async def test_a_large_photo_goes_on_where_it_was_after_a_kill_of_both_sides(
    database_url: str, amqp_url: str, tmp_path: Path
) -> None:
    async with venue(database_url, amqp_url, tmp_path, random.Random(1)) as place:
        content = tiny_jpeg("large") + random.Random(1).randbytes(LARGE_BYTES)
        (place.folder / "large.jpg").write_bytes(content)
        expected = Counter({("large.jpg", hashlib.sha256(content).hexdigest()): 1})
        # A quarter of it goes through one connection, and what came of it is kept.
        place.network.cut_after_bytes = LARGE_BYTES // 4
        places: set[str] = set()
        for _ in range(3):
            watcher = await place.start_watcher()
            await place.network.is_cut()
            await place.kill_watcher()
            await place.ingest.kill()
            places |= place.upload_places()
            if await place.photos():
                break
        place.network.cut_after_bytes = None
        watcher = await place.start_watcher("--once")
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await watcher.wait() == 0
        assert await place.photos() == expected
        # One upload, that went on, and not one for each start.
        assert len(places) == 1

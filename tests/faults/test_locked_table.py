"""Somebody holds the photos' table, reads included: an index is built, a column is rewritten."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from sqlalchemy.engine import make_url

from tests.faults.clients import Clients
from tests.faults.deployment import SECRET, Deployment
from tests.faults.oracle import differences
from tests.faults.population import add_guests
from tests.faults.processes import Service
from tests.faults.sizes import short_and_long
from tests.faults.truth import Truth, invent_photos
from tests.support.postgres import plain_url

UPLOADS_PER_SECOND = 5


@dataclass(frozen=True)
class Size:
    """How long the table is held, and what is demanded meanwhile."""

    seconds: float
    #: The share of looks that found ingest ready; a busy machine may be late for one.
    ready: float
    longest_answer: float


SHORT = Size(seconds=10, ready=0.5, longest_answer=60)
#: A turn to upload (20 s), then a lock (5 s).
LONG = Size(seconds=60, ready=1.0, longest_answer=27)


@short_and_long("size", SHORT, LONG)
async def test_uploads_that_wait_for_a_locked_table_leave_ingest_ready(
    deployment: Deployment, rng: random.Random, size: Size
) -> None:
    world, fleet = deployment.world, deployment.fleet
    photographer = await world.user("photographer")
    event = await world.event(photographer)
    guests = await add_guests(world, rng, [event], 4)
    photos = invent_photos(rng, [event], guests, round(UPLOADS_PER_SECOND * size.seconds))
    (replica,) = await fleet.add_recognition(1)
    ingest = await fleet.add("ingest", "services.ingest", RECOGNITION_URL=replica.url)
    await fleet.all_up()
    async with Clients(ingest.url, SECRET, photographer) as clients:
        await asyncio.gather(*(clients.send_selfie(guest) for guest in guests))
        # The table is free before all are waited for.
        async with (
            asyncio.TaskGroup() as sending,
            locked(deployment),
            looked_at(ingest) as looks,
        ):
            for photo in photos:
                sending.create_task(clients.upload(photo))
                await asyncio.sleep(1 / UPLOADS_PER_SECOND)
    state = await deployment.settled(
        photos=len(photos), selfies=sum(len(guest.event_ids) for guest in guests), timeout=120
    )
    await fleet.stop()
    print(f"{looks}; {clients.refused} refused; longest: {clients.longest:.1f} s")  # noqa: T201 - shown on failure
    assert looks[True] >= size.ready * looks.total() > 0
    assert clients.longest <= size.longest_answer
    assert differences(state, Truth(photos, guests)) == []
    assert await deployment.queues() == {}


@asynccontextmanager
async def locked(deployment: Deployment) -> AsyncIterator[None]:
    """Nobody else reads or writes photos for the length of the block."""
    url = plain_url(make_url(deployment.fleet.environment["DATABASE_URL"]))
    session = await asyncpg.connect(url, timeout=30)
    try:
        async with session.transaction():
            await session.execute("LOCK TABLE photos IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await session.close()


@asynccontextmanager
async def looked_at(service: Service) -> AsyncIterator[Counter[bool]]:
    """Count how often the service was ready and not, as the kubelet would see it."""
    looks: Counter[bool] = Counter()

    async def look() -> None:
        while True:
            looks[await service.is_up()] += 1
            await asyncio.sleep(1)

    looking = asyncio.create_task(look())
    try:
        yield looks
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)

"""Somebody holds the photos' table, reads included: an index is built, a column is rewritten."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import httpx
from sqlalchemy.engine import make_url

from libs.common import tasks
from tests.faults.clients import HANG_UP_SECONDS, Clients
from tests.faults.deployment import SECRET, Deployment
from tests.faults.oracle import differences
from tests.faults.population import add_guests
from tests.faults.processes import Service
from tests.faults.sizes import short_and_long
from tests.faults.truth import Truth, invent_photos
from tests.support.polling import PATIENCE_SECONDS
from tests.support.postgres import plain_url

READY = "ready"


@dataclass(frozen=True)
class Size:
    """How long the table is held, within which limits, and what is demanded meanwhile."""

    seconds: float
    uploads_per_second: float
    limits: Mapping[str, str]
    #: The share of looks that found ingest ready; a busy machine may be late for one.
    ready: float
    longest_refusal: float


SHORT = Size(
    seconds=7,
    uploads_per_second=6,
    # Uploads have all that they may have at once, for as long as the table is held.
    limits={"DB_POOL_SIZE": "2", "DB_MAX_OVERFLOW": "4", "DB_LOCK_TIMEOUT": "30"},
    ready=0.7,
    longest_refusal=math.inf,
)
LONG = Size(
    seconds=60,
    uploads_per_second=5,
    limits={},
    ready=1.0,
    # A turn to upload (20 s), then a lock (5 s).
    longest_refusal=27,
)


@short_and_long("size", SHORT, LONG)
async def test_uploads_that_wait_for_a_locked_table_leave_ingest_ready(
    deployment: Deployment, rng: random.Random, size: Size
) -> None:
    world, fleet = deployment.world, deployment.fleet
    photographer = await world.user("photographer")
    event = await world.event(photographer)
    guests = await add_guests(world, rng, [event], 4)
    photos = invent_photos(rng, [event], guests, round(size.uploads_per_second * size.seconds))
    (replica,) = await fleet.add_recognition(1)
    ingest = await fleet.add(
        "ingest", "services.ingest", RECOGNITION_URL=replica.url, **size.limits
    )
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
                await asyncio.sleep(1 / size.uploads_per_second)
    state = await deployment.settled(
        photos=len(photos), selfies=sum(len(guest.event_ids) for guest in guests), timeout=120
    )
    await fleet.stop()
    longest = f"{clients.longest_refusal:.1f} of {clients.longest:.1f} s"
    print(f"{looks}; {clients.refused} refused; longest: {longest}")  # noqa: T201 - shown on failure
    assert looks[READY] >= size.ready * looks.total() > 0
    assert clients.longest_refusal <= size.longest_refusal
    assert differences(state, Truth(photos, guests)) == []
    assert await deployment.queues() == {}


@asynccontextmanager
async def locked(deployment: Deployment) -> AsyncIterator[None]:
    """Nobody else reads or writes photos for the length of the block."""
    url = plain_url(make_url(deployment.fleet.environment["DATABASE_URL"]))
    session = await asyncpg.connect(url, timeout=PATIENCE_SECONDS)
    try:
        async with session.transaction():
            await session.execute("LOCK TABLE photos IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await session.close()


@asynccontextmanager
async def looked_at(service: Service) -> AsyncIterator[Counter[str]]:
    """Count how often the service said what of its readiness."""
    looks: Counter[str] = Counter()

    async def look() -> None:
        async with httpx.AsyncClient(timeout=HANG_UP_SECONDS) as client:
            while True:
                answer = await client.get(f"{service.url}/readyz")
                looks[READY if answer.is_success else answer.text] += 1
                await asyncio.sleep(0.5)

    looking = asyncio.create_task(look())
    try:
        yield looks
    finally:
        await tasks.end(looking)

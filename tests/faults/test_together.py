"""What all services share fails in several ways at once, while photos and selfies come in."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.clients import Clients
from tests.faults.deployment import SECRET, Deployment, deployed
from tests.faults.oracle import differences
from tests.faults.population import add_guests
from tests.faults.proxy import behind
from tests.faults.sizes import short_and_long
from tests.faults.together import (
    Fault,
    Shared,
    broker_partitioned,
    database_partitioned,
    database_read_only,
    no_connections_left,
    sessions_ended,
    struck,
    tables_locked,
)
from tests.faults.truth import Truth, invent_photos
from tests.support.polling import eventually

#: Shorter than the faults are long.
POOL_TIMEOUT_SECONDS = 2.0
PHOTOS_A_FAULT = 10


@dataclass(frozen=True)
class Size:
    """What falls together, one after the other, and for how long."""

    faults: Sequence[Sequence[Fault]]
    seconds: float
    replicas: int


SHORT = Size(
    faults=(
        (database_read_only, broker_partitioned),
        (sessions_ended,),
        (tables_locked, no_connections_left),
    ),
    seconds=8,
    replicas=1,
)
LONG = Size(
    faults=(
        (broker_partitioned,),
        (database_partitioned,),
        (database_read_only,),
        (database_read_only, broker_partitioned),
        (tables_locked, broker_partitioned),
        (no_connections_left,),
        (tables_locked, no_connections_left),
        (sessions_ended,),
        (sessions_ended, broker_partitioned),
    ),
    seconds=60,
    replicas=2,
)


@pytest.fixture
async def deployment(
    database_url: str, amqp_url: str, shared: Shared, tmp_path: Path
) -> AsyncIterator[Deployment]:
    """The services behind the gate and the proxy; the test itself is not."""
    async with deployed(database_url, amqp_url, tmp_path) as deployment:
        deployment.fleet.environment |= {
            "DATABASE_URL": shared.gate.url,
            "AMQP_URL": behind(shared.broker, amqp_url),
            "DB_POOL_TIMEOUT": str(POOL_TIMEOUT_SECONDS),
            "SCRIPTED_SECONDS": "0.1",
        }
        yield deployment


@short_and_long("size", SHORT, LONG)
async def test_what_falls_together_loses_nothing_and_leaves_nothing_to_clear_up(
    deployment: Deployment, shared: Shared, rng: random.Random, size: Size
) -> None:
    world, fleet = deployment.world, deployment.fleet
    photographer = await world.user("photographer")
    events = [await world.event(photographer) for _ in range(2)]
    guests = await add_guests(world, rng, events, 2 * len(size.faults))
    photos = invent_photos(rng, events, guests, PHOTOS_A_FAULT * len(size.faults))
    replicas = await fleet.add_recognition(size.replicas)
    ingest = await fleet.add("ingest", "services.ingest", RECOGNITION_URL=replicas[0].url)
    # Deletes the selfies that clients sent again.
    await fleet.add("media", "services.media")
    await fleet.all_up()

    async with Clients(ingest.url, SECRET, photographer) as clients:
        for number, faults in enumerate(size.faults):
            # Everything is accepted in the end, before the next ones strike.
            async with asyncio.TaskGroup() as sending, struck(shared, faults):
                for guest in guests[2 * number : 2 * number + 2]:
                    sending.create_task(clients.send_selfie(guest))
                for photo in photos[PHOTOS_A_FAULT * number :][:PHOTOS_A_FAULT]:
                    sending.create_task(clients.upload(photo))
                    await asyncio.sleep(size.seconds / PHOTOS_A_FAULT)
            await fleet.all_up()
    state = await deployment.settled(
        photos=len(photos), selfies=sum(len(guest.event_ids) for guest in guests), timeout=120
    )

    async def is_all_handled() -> bool:
        return await deployment.queues() == {}

    # Selfies that were sent again are deleted after everything else is done.
    await eventually(is_all_handled)
    await fleet.stop()
    print(f"sent again: {clients.resent}")  # noqa: T201 - shown on demand, and on failure
    assert differences(state, Truth(photos, guests)) == []
    assert await deployment.queues() == {}
    assert [service.starts for service in fleet.services] == [1] * (size.replicas + 2)

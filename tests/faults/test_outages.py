"""Something that work needs is away for longer than a message is retried in process."""

import asyncio
import random

import psutil
import pytest

from libs.common.messaging.bus.retry import IN_PROCESS_RETRY_DELAYS_SECONDS
from tests.faults.deployment import Deployment
from tests.faults.oracle import differences
from tests.faults.population import add_guests, add_photo, add_selfie
from tests.faults.processes import Service
from tests.faults.proxy import StoreProxy
from tests.faults.sizes import short_and_long
from tests.faults.truth import Truth, invent_photos
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.postgres import Postgres

OUTAGE_SECONDS = sum(IN_PROCESS_RETRY_DELAYS_SECONDS) + 4
PHOTOS = 20

long = pytest.mark.long


@short_and_long("times", 1, 12)
async def test_a_selfie_whose_replica_dies_over_it_is_indexed_by_another(
    deployment: Deployment, rng: random.Random, times: int
) -> None:
    deployment.fleet.environment |= {
        "SCRIPTED_SECONDS": "1",
        "PARTITION_LEASE_SECONDS": "3",
        "PARTITION_RENEW_SECONDS": "1",
    }
    replicas = await deployment.fleet.add_recognition(2)
    guests = await add_guests(deployment.world, rng, [await deployment.world.event()], times)
    for number, guest in enumerate(guests):
        await add_selfie(deployment.world, guest)
        # What the dead replica had done is unknown: this once, the selfie is computed again.
        await (await replica_at_work(deployment, replicas, calls=2 * number)).kill()
        await deployment.settled(photos=0, selfies=number + 1, timeout=PATIENCE_SECONDS)
        await deployment.fleet.all_up()
    await all_home(deployment, Truth(guests=guests))
    assert len(deployment.calls()) == 2 * times


@long
async def test_the_database_may_be_away(
    deployment: Deployment, rng: random.Random, postgres_faults: Postgres
) -> None:
    (replica,) = await deployment.fleet.add_recognition(1)
    replica.freeze()
    truth = await come_in(deployment, rng)
    replica.thaw()
    await eventually(deployment.calls)
    await asyncio.to_thread(postgres_faults.stop)
    await asyncio.sleep(OUTAGE_SECONDS)
    await asyncio.to_thread(postgres_faults.start)
    await all_home(deployment, truth)


@long
async def test_the_store_may_be_away(
    deployment_on_s3: tuple[Deployment, StoreProxy], rng: random.Random
) -> None:
    deployment, store = deployment_on_s3
    (replica,) = await deployment.fleet.add_recognition(1)
    replica.freeze()
    truth = await come_in(deployment, rng)
    store.fail()
    replica.thaw()
    await asyncio.sleep(OUTAGE_SECONDS)
    assert store.failures > 0
    store.heal()
    await all_home(deployment, truth)


async def come_in(deployment: Deployment, rng: random.Random) -> Truth:
    """Photos and selfies of two events."""
    events = [await deployment.world.event() for _ in range(2)]
    guests = await add_guests(deployment.world, rng, events, 4)
    truth = Truth(invent_photos(rng, events, guests, PHOTOS), guests)
    for guest in guests:
        await add_selfie(deployment.world, guest)
    for photo in truth.photos:
        await add_photo(deployment.world, photo)
    return truth


async def all_home(deployment: Deployment, truth: Truth) -> None:
    """Everything comes to the end it should have; nothing was given up on the way."""
    state = await deployment.settled(
        photos=len(truth.photos),
        selfies=sum(len(guest.event_ids) for guest in truth.guests),
        timeout=PATIENCE_SECONDS,
    )
    assert differences(state, truth) == []
    await deployment.fleet.stop()
    assert await deployment.queues() == {}


async def replica_at_work(deployment: Deployment, replicas: list[Service], calls: int) -> Service:
    """The replica whose engine has the first call after so many others in hand."""
    await eventually(lambda: len(deployment.calls()) > calls)
    above = {it.pid for it in psutil.Process(deployment.calls()[calls].worker).parents()}
    return next(replica for replica in replicas if replica.pid in above)

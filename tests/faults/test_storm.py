"""One thing after the other goes wrong while photos and selfies come in."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial

from tests.faults.clients import Clients
from tests.faults.deployment import SECRET, Deployment
from tests.faults.faults import ALL_FAULTS, Place, Storm
from tests.faults.oracle import differences, indexed_besides_checks
from tests.faults.owners import busiest_owner
from tests.faults.population import add_guests
from tests.faults.proxy import StoreProxy
from tests.faults.sizes import short_and_long
from tests.faults.truth import Truth, invent_photos
from tests.support.postgres import Postgres
from tests.support.rabbitmq import RabbitMQ


@dataclass(frozen=True)
class Size:
    """How much comes in over the storm's length, and how many replicas work on it."""

    photos: int
    events: int
    guests: int
    replicas: int
    storm_seconds: float


SHORT = Size(photos=60, events=2, guests=8, replicas=2, storm_seconds=25)
LONG = Size(photos=300, events=3, guests=30, replicas=3, storm_seconds=150)


@short_and_long("size", SHORT, LONG)
async def test_nothing_is_lost_doubled_or_invented(
    deployment_on_s3: tuple[Deployment, StoreProxy],
    postgres_faults: Postgres,
    rabbitmq_faults: RabbitMQ,
    rng: random.Random,
    size: Size,
) -> None:
    deployment, store = deployment_on_s3
    deployment.fleet.environment["SCRIPTED_SECONDS"] = "0.2"
    world, fleet = deployment.world, deployment.fleet
    photographer = await world.user("photographer")
    events = [await world.event(photographer) for _ in range(size.events)]
    guests = await add_guests(world, rng, events, size.guests)
    truth = Truth(invent_photos(rng, events, guests, size.photos), guests)
    replicas = await fleet.add_recognition(size.replicas)
    ingest = await fleet.add("ingest", "services.ingest", RECOGNITION_URL=replicas[0].url)
    await fleet.add("media", "services.media")
    await fleet.all_up()
    place = Place(
        services=fleet.services,
        ingest=ingest,
        replicas=replicas,
        broker=rabbitmq_faults,
        postgres=postgres_faults,
        store=store,
        owner=lambda: busiest_owner(deployment.database, replicas),
        rng=rng,
    )
    async with Clients(ingest.url, SECRET, photographer) as clients:
        await asyncio.gather(
            Storm(place, every_seconds=2.0).rage(size.storm_seconds),
            come_in(truth, clients, rng, over_seconds=size.storm_seconds),
        )
    await fleet.all_up()
    state = await deployment.settled(
        photos=size.photos, selfies=sum(len(guest.event_ids) for guest in guests), timeout=60
    )
    await fleet.stop()

    again = indexed_besides_checks(deployment.calls())
    print(  # noqa: T201 - the storm's log, which pytest shows on demand (-rP) and on failure
        f"struck: {dict(place.struck)}; sent again: {clients.resent}; store failures:"
        f" {store.failures}; starts: { {s.name: s.starts for s in fleet.services} };"
        f" indexed again: {again}"
    )
    assert set(place.struck) == {strike.__name__ for strike in ALL_FAULTS}
    assert differences(state, truth) == []
    assert await deployment.queues() == {}
    assert again == []


async def come_in(
    truth: Truth, clients: Clients, rng: random.Random, *, over_seconds: float
) -> None:
    """Send everything, in any order, evenly over the time."""
    sends: list[Callable[[], Coroutine[None, None, None]]] = [
        *(partial(clients.upload, photo) for photo in truth.photos),
        *(partial(clients.send_selfie, guest) for guest in truth.guests),
    ]
    rng.shuffle(sends)
    async with asyncio.TaskGroup() as sending:
        for send in sends:
            sending.create_task(send())
            await asyncio.sleep(over_seconds / len(sends))

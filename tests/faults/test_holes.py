"""Holes: the database is there, and what it answers to some of its clients never arrives."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from libs.common.messaging.bus.topology import BUCKETS
from tests.faults.clients import Clients
from tests.faults.deployment import SECRET, Deployment
from tests.faults.oracle import differences
from tests.faults.owners import shares
from tests.faults.population import add_guests, add_photo, add_selfie
from tests.faults.processes import Service
from tests.faults.sizes import short_and_long
from tests.faults.truth import Photo, Truth, invent_photos
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.silent_postgres import SilentPostgres

#: Instead of 5, 10 and 5 s; the relay's lock is given up after 10 s all the same.
SHORT_LIMITS = {
    "DB_CONNECT_TIMEOUT": "2",
    "DB_COMMAND_TIMEOUT": "2",
    "DB_LOCK_TIMEOUT": "1",
    "PARTITION_LEASE_SECONDS": "3",
    "PARTITION_RENEW_SECONDS": "1",
}

#: What uploads are promised with the default limits.
LONGEST_ANSWER_SECONDS = 17.0

Hole = Callable[[SilentPostgres], object]


def commits(way: SilentPostgres) -> None:
    """Nobody is answered from the next commit on."""
    way.lose_replies_from(b"COMMIT;")


@dataclass(frozen=True)
class Size:
    """The holes, one after the other; how many photos come in each of them, and how slowly."""

    holes: Sequence[Hole]
    photos: int
    seconds: float
    limits: Mapping[str, str]
    longest_answer: float


SHORT = Size([commits], photos=20, seconds=0, limits=SHORT_LIMITS, longest_answer=math.inf)
LONG = Size(
    [SilentPostgres.lose_replies, commits, SilentPostgres.silence],
    photos=120,
    seconds=60,
    limits={},
    longest_answer=LONGEST_ANSWER_SECONDS,
)


@pytest.fixture
async def leader_behind(
    deployment: Deployment,
) -> AsyncIterator[tuple[Service, Service, SilentPostgres]]:
    """A replica that leads and owns all partitions, another one, and the first one's way."""
    fleet = deployment.fleet
    fleet.environment |= SHORT_LIMITS
    async with way_to_the_database(deployment) as way:
        direct = fleet.environment["DATABASE_URL"]
        fleet.environment["DATABASE_URL"] = way.url
        (leader,) = await fleet.add_recognition(1)
        await eventually(lambda: leader.last_logged("relay_leads"))
        fleet.environment["DATABASE_URL"] = direct
        (other,) = await fleet.add_recognition(1)
        yield leader, other, way
        # With its way open, it can say goodbye.
        way.heal()
        await fleet.stop()


@asynccontextmanager
async def way_to_the_database(deployment: Deployment) -> AsyncIterator[SilentPostgres]:
    url = deployment.fleet.environment["DATABASE_URL"]
    async with SilentPostgres(url).running() as way:
        yield way


@short_and_long("photos", 24, 200)
async def test_a_leader_behind_a_hole_is_replaced_and_photos_are_matched(
    deployment: Deployment,
    leader_behind: tuple[Service, Service, SilentPostgres],
    rng: random.Random,
    photos: int,
) -> None:
    leader, other, way = leader_behind
    way.go_dark()
    truth = await come_in(deployment, rng, photos)
    await eventually(lambda: other.last_logged("relay_leads"), message=deployment.fleet.tails)
    # The hole goes on: what the other one does must be enough.
    state = await deployment.settled(photos=photos, selfies=selfies_of(truth), timeout=120)
    assert differences(state, truth) == []
    assert await gauge(leader, "findme_outbox_leading") == 0
    assert await gauge(other, "findme_outbox_leading") == 1
    assert await gauge(other, "findme_partitions_owned") == BUCKETS
    assert await gauge(leader, "findme_partitions_owned") == 0
    way.heal()
    await shared_again(deployment, leader, other)
    assert [service.starts for service in (leader, other)] == [1, 1]


@short_and_long("photos", 24, 200)
async def test_old_connections_that_fall_silent_are_replaced_by_new_ones(
    deployment: Deployment,
    leader_behind: tuple[Service, Service, SilentPostgres],
    rng: random.Random,
    photos: int,
) -> None:
    leader, other, way = leader_behind
    assert way.silence()
    truth = await come_in(deployment, rng, photos)
    # Both work: the first one's listening session, too, is a new one.
    await shared_again(deployment, leader, other)
    assert await leader.is_up()
    state = await deployment.settled(photos=photos, selfies=selfies_of(truth), timeout=120)
    assert differences(state, truth) == []
    assert leader.last_logged("partitions_database_lost")


@short_and_long("size", SHORT, LONG)
async def test_uploads_are_refused_during_a_hole_and_nothing_of_them_is_lost(
    deployment: Deployment, rng: random.Random, size: Size
) -> None:
    world, fleet = deployment.world, deployment.fleet
    fleet.environment |= size.limits
    photographer = await world.user("photographer")
    event = await world.event(photographer)
    guests = await add_guests(world, rng, [event], 4)
    truth = Truth(invent_photos(rng, [event], guests, size.photos * len(size.holes)), guests)
    (replica,) = await fleet.add_recognition(1)
    for guest in guests:
        await add_selfie(world, guest)
    async with way_to_the_database(deployment) as way:
        ingest = await fleet.add(
            "ingest", "services.ingest", RECOGNITION_URL=replica.url, DATABASE_URL=way.url
        )
        await ingest.up()
        async with Clients(ingest.url, SECRET, photographer) as clients:
            for number, dig in enumerate(size.holes):
                photos = truth.photos[size.photos * number :][: size.photos]
                await upload_during(dig, way, photos, clients, size, message=fleet.tails)
        state = await deployment.settled(
            photos=len(truth.photos), selfies=selfies_of(truth), timeout=120
        )
        await fleet.stop()
    print(f"refused: {clients.refused}; longest: {clients.longest:.1f} s")  # noqa: T201 - shown on failure
    assert clients.longest <= size.longest_answer
    assert clients.refused == clients.resent
    assert differences(state, truth) == []
    assert await deployment.queues() == {}


async def upload_during(
    dig: Hole,
    way: SilentPostgres,
    photos: Sequence[Photo],
    clients: Clients,
    size: Size,
    *,
    message: Callable[[], str],
) -> None:
    """Upload a quarter before the hole and the rest in it; all are accepted after it."""
    first, rest = photos[: len(photos) // 4], photos[len(photos) // 4 :]
    await asyncio.gather(*(clients.upload(photo) for photo in first))
    refused = clients.refused
    async with asyncio.TaskGroup() as sending:
        dig(way)
        for photo in rest:
            sending.create_task(clients.upload(photo))
            await asyncio.sleep(size.seconds / len(rest))
        if dig is not SilentPostgres.silence:  # new connections answer
            # They are told so while the hole goes on.
            await eventually(lambda: clients.refused >= refused + len(rest), message=message)
        way.heal()


@pytest.mark.long
async def test_gauges_of_a_process_that_is_not_answered_say_so(
    deployment: Deployment, leader_behind: tuple[Service, Service, SilentPostgres]
) -> None:
    leader, other, way = leader_behind

    async def is_known(service: Service) -> bool:
        return await gauge(service, "findme_gauges_current", question="outbox") == 1

    async def is_unknown() -> bool:
        return not await is_known(leader)

    await eventually(lambda: is_known(leader))
    way.go_dark()
    await eventually(is_unknown, timeout=120, poll_seconds=1)
    depth = await gauge(leader, "findme_outbox_messages")
    assert depth != depth  # no number
    assert await is_known(other)
    way.heal()
    await eventually(lambda: is_known(leader))
    await deployment.fleet.stop()


async def come_in(deployment: Deployment, rng: random.Random, photos: int) -> Truth:
    """Photos and selfies of two events."""
    world = deployment.world
    events = [await world.event() for _ in range(2)]
    guests = await add_guests(world, rng, events, 4)
    truth = Truth(invent_photos(rng, events, guests, photos), guests)
    for guest in guests:
        await add_selfie(world, guest)
    for photo in truth.photos:
        await add_photo(world, photo)
    return truth


def selfies_of(truth: Truth) -> int:
    return sum(len(guest.event_ids) for guest in truth.guests)


async def shared_again(deployment: Deployment, *replicas: Service) -> None:
    """Wait until the partitions are shared out evenly."""
    equal = Counter({str(replica.pid): BUCKETS // len(replicas) for replica in replicas})

    async def are_shared() -> bool:
        owned = await shares(deployment.database)
        return all(owned[pid] == share for pid, share in equal.items())

    await eventually(are_shared, poll_seconds=0.2, message=deployment.fleet.tails)


async def gauge(service: Service, name: str, **labels: str) -> float:
    """What the process tells Prometheus."""
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        answer = await client.get(f"{service.url}/metrics")
    [value] = [
        sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == name and sample.labels.items() >= labels.items()
    ]
    return value

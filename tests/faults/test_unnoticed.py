"""Faults that nobody who uploads is told of: photos are taken at once, and come home afterwards."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.clients import Clients
from tests.faults.deployment import SECRET, Deployment
from tests.faults.oracle import differences
from tests.faults.population import add_guests, add_selfie
from tests.faults.proxy import behind
from tests.faults.sizes import short_and_long
from tests.faults.together import (
    Fault,
    Shared,
    broker_partitioned,
    broker_without_disk,
    broker_without_memory,
    sessions_ended,
    struck,
)
from tests.faults.truth import Photo, Truth, invent_photos
from tests.support.polling import eventually

EVERY_SECONDS = 0.2
#: While these last, no message leaves the outbox.
HOLD_MESSAGES = {broker_partitioned, broker_without_disk, broker_without_memory}


@dataclass(frozen=True)
class Size:
    """What strikes, one after the other, how many photos come meanwhile, and who analyses them."""

    faults: Sequence[Sequence[Fault]]
    photos: int
    replicas: int


SHORT = Size(
    faults=((broker_without_memory, broker_without_disk), (broker_partitioned,), (sessions_ended,)),
    photos=25,
    replicas=1,
)
LONG = Size(
    faults=(
        (broker_without_memory,),
        (broker_without_disk,),
        (broker_partitioned,),
        (sessions_ended,),
        (sessions_ended, broker_without_memory),
    ),
    photos=300,
    replicas=2,
)


@short_and_long("size", SHORT, LONG)
async def test_uploads_are_taken_at_once_while_messages_or_sessions_are_lost(
    deployment: Deployment, shared: Shared, rng: random.Random, size: Size
) -> None:
    world, fleet = deployment.world, deployment.fleet
    fleet.environment["AMQP_URL"] = behind(shared.broker, deployment.amqp_url)
    photographer = await world.user("photographer")
    events = [await world.event(photographer) for _ in range(2)]
    guests = await add_guests(world, rng, events, 4)
    photos = invent_photos(rng, events, guests, size.photos * len(size.faults))
    replicas = await fleet.add_recognition(size.replicas)
    ingest = await fleet.add("ingest", "services.ingest", RECOGNITION_URL=replicas[0].url)
    await ingest.up()
    for guest in guests:
        await add_selfie(world, guest)

    async with Clients(ingest.url, SECRET, photographer) as clients:
        for number, faults in enumerate(size.faults):
            own = photos[size.photos * number :][: size.photos]
            lost_before = ingest.last_logged("amqp_connection_lost")
            async with struck(shared, faults):
                await send(clients, own)
                if broker_partitioned in faults:
                    # By the heartbeats: nothing else says so.
                    await eventually(
                        lambda: ingest.last_logged("amqp_connection_lost") > lost_before,  # noqa: B023
                        message=fleet.tails,
                    )
                if HOLD_MESSAGES.intersection(faults):
                    assert (await deployment.state()).outbox >= len(own)
            assert clients.resent == 0, f"{faults}\n{ingest.tail(100)}"
            await eventually(lambda: is_sent(deployment), poll_seconds=0.2, message=fleet.tails)
    selfies = sum(len(guest.event_ids) for guest in guests)
    state = await deployment.settled(photos=len(photos), selfies=selfies, timeout=120)
    await fleet.stop()
    assert differences(state, Truth(photos, guests)) == []
    assert await deployment.queues() == {}
    assert [service.starts for service in fleet.services] == [1] * (size.replicas + 1)


async def send(clients: Clients, photos: Sequence[Photo]) -> None:
    """So many a second, whether those before were answered or not."""
    async with asyncio.TaskGroup() as sending:
        for photo in photos:
            sending.create_task(clients.upload(photo))
            await asyncio.sleep(EVERY_SECONDS)


async def is_sent(deployment: Deployment) -> bool:
    return (await deployment.state()).outbox == 0

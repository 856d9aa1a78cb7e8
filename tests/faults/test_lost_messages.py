import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aio_pika

from libs.common import tasks
from libs.common.messaging.bus.open import open_bus
from libs.common.messaging.bus.topology import Queue
from libs.common.messaging.messages import PhotoAnalyzed
from libs.common.messaging.relay import Relay
from services.recognition.engine.face_engine import EMBEDDED, PhotoAnalysis
from services.recognition.indexes.embedded.index import indexed_photo
from services.recognition.photos import repository
from tests.faults.deployment import Deployment
from tests.faults.oracle import differences
from tests.faults.population import add_guests, add_photo, add_selfie
from tests.faults.sizes import short_and_long
from tests.faults.truth import Photo, Truth, invent_photos
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.scripted_engine import ScriptedEngine


@short_and_long("photos", 24, 200)
async def test_the_reconciler_brings_home_what_the_broker_lost(
    deployment: Deployment, rng: random.Random, photos: int
) -> None:
    world = deployment.world
    events = [await world.event() for _ in range(2)]
    guests = await add_guests(world, rng, events, 4)
    truth = Truth(invent_photos(rng, events, guests, photos), guests)
    before, during = truth.photos[: photos // 2], truth.photos[photos // 2 :]
    async with relay_alone(deployment):
        for guest in guests:
            await add_selfie(world, guest)
        for photo in before[::2]:
            await add_photo(world, photo)
        for photo in before[1::2]:
            await add_analyzed(deployment, photo)
        await sent(deployment)
    assert await purge(deployment, deployment.topology.analyze) >= len(before[::2])
    assert await purge(deployment, deployment.topology.match) > len(guests)

    deployment.fleet.environment |= {
        "RECONCILE_AFTER_SECONDS": "1",
        "RECONCILE_EVERY_SECONDS": "0.5",
        "SCRIPTED_SECONDS": "0.05",
    }
    await deployment.fleet.add_recognition(1)
    for number, photo in enumerate(during):
        # Every second message is gone for sure; of the others, whichever the purge is in time for.
        await add_photo(world, photo, publish=number % 2 == 0)
        await purge(deployment, deployment.topology.analyze)

    state = await deployment.settled(
        photos=photos, selfies=sum(len(guest.event_ids) for guest in guests), timeout=60
    )
    assert differences(state, truth) == []
    await deployment.fleet.stop()
    assert await deployment.queues() == {}


@asynccontextmanager
async def relay_alone(deployment: Deployment) -> AsyncIterator[None]:
    """Publish the outbox with nobody there to consume."""
    async with open_bus(deployment.amqp_url, deployment.topology) as bus:
        relay = asyncio.create_task(Relay(deployment.database, bus).run())
        try:
            yield
        finally:
            await tasks.end(relay)


async def sent(deployment: Deployment) -> None:
    async def outbox_is_empty() -> bool:
        return bool(await deployment.world.scalar("SELECT count(*) FROM outbox") == 0)

    await eventually(outbox_is_empty)


async def add_analyzed(deployment: Deployment, photo: Photo) -> None:
    """A photo whose faces are known, and whose message to match them is queued."""
    photo_id = await add_photo(deployment.world, photo, publish=False)
    async with deployment.database.unit_of_work() as unit:
        row = await repository.find_photo(unit.connection, photo_id)
        assert row is not None
        analysis = indexed_photo(analysis_of(photo))
        assert await repository.save_analysis(unit.connection, row, analysis, engine=EMBEDDED.name)
        if analysis.faces:
            unit.publish(PhotoAnalyzed(event_id=photo.event_id, photo_id=photo_id))


def analysis_of(photo: Photo) -> PhotoAnalysis:
    return ScriptedEngine().perform(photo.script)


async def purge(deployment: Deployment, queues: Sequence[Queue]) -> int:
    """Empty the queues as an operator's slip would; return how many messages are lost."""
    lost = 0
    async with (
        await aio_pika.connect(deployment.amqp_url, timeout=PATIENCE_SECONDS) as connection,
        connection.channel() as channel,
    ):
        for queue in queues:
            purged = await (await channel.get_queue(queue.name, ensure=False)).purge(
                timeout=PATIENCE_SECONDS
            )
            lost += purged.message_count or 0
    return lost

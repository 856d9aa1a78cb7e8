"""A database that takes no changes: messages wait for it, and it is held against none of them."""

from sqlalchemy import text

from libs.common.messaging.bus.subscriptions import MESSAGES, Outcome
from libs.common.messaging.bus.topology import Queue, bucket_of, lane_of
from libs.common.messaging.messages import PhotoUploaded, SelfieUploaded
from libs.common.resources import Resources
from services.recognition.settings import RecognitionSettings
from tests.recognition.conftest import running_recognition
from tests.support.polling import eventually
from tests.support.postgres import Postgres
from tests.support.read_only import read_only
from tests.support.world import World


def retried(queue: Queue) -> float:
    return float(MESSAGES.labels(queue.name, Outcome.RETRIED.value)._value.get())


async def test_messages_wait_longer_than_their_attempts_and_none_is_given_up(
    world: World,
    settings: RecognitionSettings,
    resources: Resources,
    postgres_faults: Postgres,
) -> None:
    # So that the partition stays owned, though its lease cannot be renewed.
    settings = settings.model_copy(update={"partition_lease_seconds": 3600.0})
    event = await world.event()
    guest = await world.user()
    await world.join(guest, event)
    selfie = await world.selfie(guest, "people 1", publish=False)
    photo = await world.photo(event, "people 1", publish=False)
    lane = resources.topology.analyze[lane_of(bucket_of(event))]
    partition = resources.topology.match[bucket_of(event)]
    before = {queue.name: retried(queue) for queue in (lane, partition)}
    async with running_recognition(settings, resources):
        await eventually(lambda: world.scalar("SELECT min(epoch) FROM match_partitions"))
        async with read_only(postgres_faults):
            for message in (
                PhotoUploaded(event_id=event, photo_id=photo),
                SelfieUploaded(event_id=event, user_id=guest, selfie_id=selfie),
            ):
                await resources.bus.publish(message.outgoing())

            def have_used_up_their_attempts() -> bool:
                return all(
                    retried(queue) >= before[queue.name] + queue.retry.max_attempts
                    for queue in (lane, partition)
                )

            await eventually(have_used_up_their_attempts)

        async def is_matched() -> bool:
            return (guest, photo) in await world.matches(event)

        await eventually(is_matched)
    async with resources.database.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM dead_letters")) == 0

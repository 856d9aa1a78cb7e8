import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from libs.common.errors import PermanentError
from libs.common.messaging.bus.protocol import Death, Delivery
from libs.common.messaging.bus.rabbitmq import declare
from libs.common.messaging.bus.topology import Queue, bucket_of, findme_topology, lane_of
from libs.common.messaging.dead_letters import repository
from libs.common.messaging.dead_letters.repository import DeadLetterRow
from libs.common.messaging.dead_letters.settle import Settlement, settle
from libs.common.messaging.messages import Message, PhotoAnalyzed, PhotoUploaded, SelfieUploaded
from libs.common.resources import Resources
from libs.common.telemetry.metrics import DEAD_LETTERS_COLLECTED
from services.recognition.photos.analyze_photo import LOST_REASON
from services.recognition.recovery.collect_dead_letter import (
    SELFIE_REASON,
    collect_dead_letter,
    collecting,
)
from services.recognition.settings import RecognitionSettings
from tests.recognition.conftest import running_recognition
from tests.support.dead_letters import crash_until_given_up
from tests.support.handlers import Recorder
from tests.support.polling import eventually
from tests.support.postgres import Postgres
from tests.support.settings import settings_of
from tests.support.world import World

on_a_broker = pytest.mark.parametrize("settings", ["rabbitmq"], indirect=True)
in_process = pytest.mark.parametrize("settings", ["in_process"], indirect=True)


@pytest.fixture(params=["in_process", "rabbitmq"])
async def settings(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path
) -> RecognitionSettings:
    on_rabbitmq = request.param == "rabbitmq"
    settings = settings_of(
        RecognitionSettings,
        database_url,
        photo_store_dir=tmp_path / "objects",
        photo_queue_workers=2,
        retry_delays_seconds=(0.1, 0.2),
        amqp_url=request.getfixturevalue("amqp_url") if on_rabbitmq else None,
    )
    if settings.amqp_url is not None:
        await declare(settings.amqp_url, findme_topology(settings.retry_delays_seconds))
    return settings


async def letters(world: World) -> list[DeadLetterRow]:
    async with world.database.read() as connection:
        return await repository.page(connection, queue=None, before=None, limit=100)


async def the_letter(world: World) -> DeadLetterRow:
    async def is_there() -> bool:
        return len(await letters(world)) == 1

    await eventually(is_there)
    return (await letters(world))[0]


async def replay(world: World, letter: DeadLetterRow) -> None:
    assert await settle([letter.id], Settlement.REPLAYED, database=world.database) == [letter.id]


async def photo_is(world: World, photo: int, status: str) -> None:
    async def has_status() -> bool:
        return bool((await world.photo_row(photo)).processing_status == status)

    await eventually(has_status, message=f"the photo never was {status}")


def lane(resources: Resources, event: int) -> Queue:
    return resources.topology.analyze[lane_of(bucket_of(event))]


def partition(resources: Resources, event: int) -> Queue:
    return resources.topology.match[bucket_of(event)]


async def test_a_poison_photo_fails_with_its_reason_and_is_done_when_replayed_without_the_cause(
    world: World, settings: RecognitionSettings, resources: Resources
) -> None:
    async with running_recognition(settings, resources):
        event = await world.event()
        guest = await world.guest(event, person=1)
        photo = await world.photo(event, "crash")
        letter = await the_letter(world)
        row = await world.photo_row(photo)
        assert row.processing_status == "failed"
        assert "cannot be processed" in row.processing_error
        assert (letter.queue, letter.topic) == (lane(resources, event).name, "photo.uploaded")
        assert letter.attempts == 1
        assert letter.reason.startswith(f"PermanentError: photo {photo} failed in its workers")

        await world.replace_photo(photo, b"people 1")
        await replay(world, letter)
        await photo_is(world, photo, "done")
        assert await world.matches(event) == {(guest, photo)}
        row = await world.photo_row(photo)
        assert row.processing_error is None
        assert await letters(world) == []


async def test_a_photo_that_is_still_poison_is_a_new_letter_after_its_replay(
    world: World, settings: RecognitionSettings, resources: Resources
) -> None:
    async with running_recognition(settings, resources):
        event = await world.event()
        photo = await world.photo(event, "crash")
        first = await the_letter(world)
        await replay(world, first)
        second = await the_letter(world)
        assert second.id != first.id
        assert second.message_id != first.message_id
        assert (second.queue, second.body, second.attempts) == (first.queue, first.body, 1)
        assert (await world.photo_row(photo)).processing_status == "failed"


@on_a_broker
async def test_a_photo_that_ended_every_process_is_failed_by_the_collector(
    world: World, settings: RecognitionSettings, resources: Resources
) -> None:
    event = await world.event()
    photo = await world.photo(event, "people")
    await crash_until_given_up(resources.bus, lane(resources, event))
    notified = Recorder()
    await resources.bus.listen(["photo.failed.*"], notified, on_gap=_no_gap)
    async with running_recognition(settings, resources):
        letter = await the_letter(world)
        assert (letter.queue, letter.topic, letter.attempts) == (
            lane(resources, event).name,
            "photo.uploaded",
            7,
        )
        assert "went away 7 times" in letter.reason
        row = await world.photo_row(photo)
        assert (row.processing_status, row.processing_error) == ("failed", LOST_REASON)
        await eventually(lambda: notified.got)
        await replay(world, letter)
        await photo_is(world, photo, "done")
        assert await letters(world) == []


@on_a_broker
async def test_a_selfie_that_ended_every_process_is_failed_by_the_collector(
    world: World, settings: RecognitionSettings, resources: Resources
) -> None:
    event = await world.event()
    guest = await world.guest(event, person=1)
    await crash_until_given_up(resources.bus, partition(resources, event))
    async with running_recognition(settings, resources):
        letter = await the_letter(world)
        assert letter.topic == "selfie.uploaded"
        state = "SELECT status || ': ' || coalesce(error, '') FROM selfie_indexes"
        assert await world.scalar(state) == f"failed: {SELFIE_REASON}"
        photo = await world.photo(event, "people 1")
        await photo_is(world, photo, "done")
        assert await world.matches(event) == set()
        await replay(world, letter)

        async def matched() -> bool:
            return await world.matches(event) == {(guest, photo)}

        await eventually(matched)
        assert await letters(world) == []


@in_process
async def test_a_letter_that_comes_again_is_one_row_and_one_notice(
    world: World, resources: Resources
) -> None:
    event = await world.event()
    photo = await world.photo(event, "people", publish=False)
    notified = Recorder()
    await resources.bus.listen(["photo.failed.*"], notified, on_gap=_no_gap)
    dead = dead_letter(PhotoUploaded(event_id=event, photo_id=photo), "findme.analyze.00")
    collected = DEAD_LETTERS_COLLECTED.labels("findme.analyze.00")
    before = collected._value.get()
    await asyncio.gather(
        *(collect_dead_letter(dead, database=resources.database) for _ in range(4))
    )
    await collect_dead_letter(replace(dead, redelivered=True), database=resources.database)
    await eventually(lambda: notified.got)
    assert len(await letters(world)) == 1
    assert len(notified.got) == 1
    assert collected._value.get() - before == 1


@in_process
@pytest.mark.parametrize("status", ["analyzed", "done", "failed"])
async def test_a_crash_letter_changes_no_photo_that_came_further(
    world: World, resources: Resources, status: str
) -> None:
    event = await world.event()
    photo = await world.insert_photo(event, processing_status=status, processing_error="before")
    dead = dead_letter(PhotoUploaded(event_id=event, photo_id=photo), "findme.analyze.00")
    await collect_dead_letter(dead, database=resources.database)
    row = await world.photo_row(photo)
    assert (row.processing_status, row.processing_error) == (status, "before")
    assert len(await letters(world)) == 1


@in_process
async def test_a_photo_whose_matching_ended_every_process_is_failed_too_and_matched_on_replay(
    world: World, settings: RecognitionSettings, resources: Resources
) -> None:
    event = await world.event()
    photo = await world.insert_photo(event, processing_status="analyzed")
    dead = dead_letter(PhotoAnalyzed(event_id=event, photo_id=photo), "findme.match.00")
    await collect_dead_letter(dead, database=resources.database)
    row = await world.photo_row(photo)
    assert (row.processing_status, row.processing_error) == ("failed", LOST_REASON)
    async with running_recognition(settings, resources):
        await replay(world, await the_letter(world))
        await photo_is(world, photo, "done")


@in_process
@pytest.mark.parametrize(
    ("before", "after"),
    [(None, "failed"), ("claimed", "failed"), ("indexed", "failed"), ("done", "done")],
)
async def test_a_crash_letter_fails_an_unfinished_selfie_only(
    world: World, resources: Resources, before: str | None, after: str
) -> None:
    event, user = await world.event(), await world.user()
    await world.join(user, event)
    selfie = await world.insert_selfie(user)
    if before is not None:
        await world.index(selfie, event, user, status=before)
    message = SelfieUploaded(event_id=event, user_id=user, selfie_id=selfie)
    await collect_dead_letter(dead_letter(message, "findme.match.00"), database=resources.database)
    assert await world.scalar("SELECT status FROM selfie_indexes") == after


@in_process
async def test_a_handlers_own_giving_up_leaves_the_photo_to_the_reconciler(
    world: World, resources: Resources
) -> None:
    event = await world.event()
    photo = await world.photo(event, "people", publish=False)
    dead = dead_letter(
        PhotoUploaded(event_id=event, photo_id=photo), "findme.analyze.00", crashed=False
    )
    await collect_dead_letter(dead, database=resources.database)
    assert (await world.photo_row(photo)).processing_status == "queued"


@in_process
async def test_a_message_that_nobody_understands_is_collected_as_it_is(
    world: World, resources: Resources
) -> None:
    dead = replace(
        dead_letter(PhotoUploaded(event_id=1, photo_id=1), "findme.analyze.00"), body=b"\xff{"
    )
    await collect_dead_letter(dead, database=resources.database)
    assert (await the_letter(world)).body == b"\xff{"


@in_process
async def test_what_dies_while_the_database_is_away_is_collected_when_it_is_back(
    world: World, resources: Resources, postgres_faults: Postgres
) -> None:
    failing = Recorder(errors=[PermanentError("no")])
    queue = resources.topology.analyze[0]
    collector = await collecting(resources.bus, resources.topology, resources.database)
    await asyncio.to_thread(postgres_faults.stop)
    await resources.bus.subscribe(queue, failing)
    await resources.bus.publish(
        replace(PhotoUploaded(event_id=1, photo_id=1).outgoing(), routing_key=queue.bindings[0])
    )
    await eventually(lambda: failing.got)
    await asyncio.to_thread(postgres_faults.start)
    assert (await the_letter(world)).reason == "PermanentError: no"
    await collector.stop()


def dead_letter(message: Message, queue: str, *, crashed: bool = True) -> Delivery:
    sent = message.outgoing()
    return Delivery(
        queue="findme.dlq",
        routing_key=sent.routing_key,
        body=sent.body,
        message_id=sent.message_id,
        attempt=1,
        redelivered=False,
        death=Death(queue=queue, reason="a test", attempts=7, crashed=crashed),
    )


async def _no_gap() -> None:
    raise AssertionError("nothing was missed")

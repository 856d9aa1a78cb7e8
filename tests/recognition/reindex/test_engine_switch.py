"""Another engine takes over events that have photos, guests and matches."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest
from sqlalchemy import insert, select, text

from libs.common.database.tables import faces, match_overrides
from libs.common.messaging.bus.protocol import Delivery
from libs.common.messaging.messages import PhotoAnalyzed
from libs.common.resources import Resources
from libs.common.rights.counted_matches import ADDED, NOT_ME
from services.recognition.engine.face_engine import to_bytes
from services.recognition.partitions.repository import announce, withdraw
from services.recognition.reindex.feeder import PHOTOS_PER_WORKER, Fed, Feeder, ReindexLimits
from services.recognition.reindex.repository import lead
from services.recognition.settings import RecognitionSettings
from tests.recognition.two_engines import is_settled, running_engine
from tests.support.handlers import Recorder
from tests.support.odd_engines import EMBEDDED, OPENCV, as_of
from tests.support.polling import eventually
from tests.support.rows import NEXT_MONTH
from tests.support.scripted_engine import embedding_of
from tests.support.world import World

LIMITS = ReindexLimits(photos_at_once=3, lease_seconds=60, patience_seconds=60)


async def settled(world: World, engine: str) -> None:
    await eventually(partial(is_settled, world, engine))


async def engines_of_faces(world: World) -> set[str]:
    async with world.database.read() as connection:
        return set(await connection.scalars(select(faces.c.engine).distinct()))


async def test_an_event_ends_with_the_same_matches_and_no_guest_misses_a_photo_meanwhile(
    world: World, settings: RecognitionSettings, resources: Resources
) -> None:
    event = await world.event()
    people = range(1, 5)
    guests = {person: await world.guest(event, person) for person in people}
    photos = {
        await world.photo(event, f"people {person} {person + 1}"): person for person in people
    }
    photos |= {await world.photo(event, "people"): 99}
    truth = {
        (guest, photo)
        for person, guest in guests.items()
        for photo, first in photos.items()
        if person in (first, first + 1)
    }
    async with running_engine(EMBEDDED, settings, resources):
        await settled(world, EMBEDDED)
    for engine in (OPENCV, EMBEDDED):
        async with running_engine(engine, settings, resources):

            async def all_are_there_until_it_is_done(engine: str = engine) -> bool:
                assert await world.matches(event) == truth
                return await is_settled(world, engine)

            await eventually(all_are_there_until_it_is_done)
        assert await engines_of_faces(world) == {engine}
        assert await world.matches(event) == truth


async def test_what_the_new_engine_sees_otherwise_is_matched_otherwise(
    world: World, settings: RecognitionSettings, resources: Resources
) -> None:
    event = await world.event()
    one, two = await world.guest(event, 1), await world.guest(event, 2)
    lost = await world.photo(event, "people 1 embedded:2")
    found = await world.photo(event, "people 1 opencv:2")
    emptied = await world.photo(event, "people embedded:2")
    always = {(one, lost), (one, found)}
    for engine, twos in (
        (EMBEDDED, {lost, emptied}),
        (OPENCV, {found}),
        (EMBEDDED, {lost, emptied}),
    ):
        async with running_engine(engine, settings, resources):
            await settled(world, engine)
        assert await world.matches(event) == always | {(two, photo) for photo in twos}


async def test_what_the_new_engine_cannot_read_stays_as_it_was(
    world: World, settings: RecognitionSettings, resources: Resources
) -> None:
    event = await world.event()
    guest, other = await world.guest(event, 1), await world.user()
    await world.join(other, event)
    await world.selfie(other, "people 2 opencv:bad")
    photo, readable = (
        await world.photo(event, "people 1 opencv:bad"),
        await world.photo(event, "people 2"),
    )
    truth = {(guest, photo), (other, readable)}
    for engine in (EMBEDDED, OPENCV, EMBEDDED):
        async with running_engine(engine, settings, resources):
            await settled(world, engine)
        assert await world.matches(event) == truth
        assert (await world.photo_row(photo)).processing_status == "done"
        usable = await world.scalar(
            "SELECT count(*) FROM faces WHERE photo_id = :photo AND embedding IS NOT NULL",
            photo=photo,
        )
        assert usable == (engine == EMBEDDED)


async def test_what_people_said_outlives_the_change(
    world: World, settings: RecognitionSettings, resources: Resources
) -> None:
    event = await world.event()
    guest = await world.guest(event, 1)
    denied, added = await world.photo(event, "people 1"), await world.photo(event, "people")
    for photo, verdict in ((denied, NOT_ME), (added, ADDED)):
        await world.execute(
            insert(match_overrides).values(
                user_id=guest, event_id=event, photo_id=photo, verdict=verdict
            )
        )
    for engine in (EMBEDDED, OPENCV):
        async with running_engine(engine, settings, resources):
            await settled(world, engine)
        assert await world.matches(event) == {(guest, added)}


async def test_failed_photos_and_expired_events_are_left_alone(
    world: World, settings: RecognitionSettings, resources: Resources
) -> None:
    event, expired = await world.event(), await world.event()
    failed = await world.photo(event, "bad no picture")
    old = await world.photo(expired, "people 1")
    async with running_engine(EMBEDDED, settings, resources):
        await settled(world, EMBEDDED)
    await world.execute(
        text(f"UPDATE events SET expires_at = now() - interval '1 day' WHERE id = {expired}")
    )
    feeder = Feeder(resources.database, engine=OPENCV, limits=LIMITS)
    await live(world, "new", engine=OPENCV)
    assert await feeder.feed() is Fed.NOTHING
    await world.execute(text("UPDATE events SET expires_at = :later").bindparams(later=NEXT_MONTH))
    assert await feeder.feed() is Fed.MORE
    assert await on_their_way(world) == {old}
    assert (await world.photo_row(failed)).processing_status == "failed"


async def live(world: World, replica: str, *, engine: str | None) -> None:
    async with world.database.unit_of_work() as unit:
        await announce(unit.connection, replica, lease_seconds=60, engine=engine)


async def stop(world: World, replica: str) -> None:
    async with world.database.unit_of_work() as unit:
        await withdraw(unit.connection, replica)


async def between_feeds(world: World, act: Callable[[], Awaitable[None]]) -> None:
    """Do something while no feeder is in the middle of a look: each later one sees it."""
    async with world.database.unit_of_work() as unit:

        async def leads() -> bool:
            return await lead(unit.connection)

        await eventually(leads)
        await act()


async def on_their_way(world: World) -> set[int]:
    async with world.database.read() as connection:
        return set(
            await connection.scalars(
                text("SELECT id FROM photos WHERE reindexing_since IS NOT NULL")
            )
        )


@pytest.fixture
async def sent(resources: Resources) -> AsyncIterator[list[Delivery]]:
    """What is sent to be indexed again."""
    recorder = Recorder()

    async def on_gap() -> None:
        raise AssertionError("messages were missed")

    listening = await resources.bus.listen(
        ("photo.uploaded.*", "selfie.uploaded.*"), recorder, on_gap=on_gap
    )
    yield recorder.got
    await listening.stop()


async def analysed(world: World, event_id: int, count: int) -> list[int]:
    """Photos that the embedded engine has finished."""
    return [
        await world.insert_photo(event_id, processing_status="done", engine=EMBEDDED)
        for _ in range(count)
    ]


@pytest.mark.parametrize("old", [EMBEDDED, None], ids=["another engine", "an older release"])
async def test_nothing_is_done_while_a_replica_of_another_engine_is_alive(
    world: World, old: str | None
) -> None:
    await analysed(world, await world.event(), 1)
    feeder = Feeder(world.database, engine=OPENCV, limits=LIMITS)
    await live(world, "old", engine=old)
    await live(world, "new", engine=OPENCV)
    assert await feeder.feed() is Fed.NOT_YET
    other = Feeder(world.database, engine=EMBEDDED, limits=LIMITS)
    assert await other.feed() is Fed.NOT_YET
    assert await on_their_way(world) == set()
    await stop(world, "old")
    assert await feeder.feed() is Fed.MORE
    assert len(await on_their_way(world)) == 1


async def test_only_as_much_is_on_its_way_as_the_workers_need_the_newest_first(
    world: World,
) -> None:
    photos = await analysed(world, await world.event(), 20)
    await live(world, "one", engine=OPENCV)
    await live(world, "two", engine=OPENCV)
    room = 2 * PHOTOS_PER_WORKER * LIMITS.photos_at_once
    feeders = [Feeder(world.database, engine=OPENCV, limits=LIMITS) for _ in range(2)]
    for feeder in (*feeders, *feeders):
        assert await feeder.feed() is Fed.MORE
    assert await on_their_way(world) == set(photos[-room:])


async def test_new_photos_take_the_place_of_old_ones(world: World) -> None:
    event = await world.event()
    await analysed(world, event, 20)
    await live(world, "one", engine=OPENCV)
    new = PHOTOS_PER_WORKER * LIMITS.photos_at_once - 2
    for _ in range(new):
        await world.insert_photo(event)
    feeder = Feeder(world.database, engine=OPENCV, limits=LIMITS)
    await feeder.feed()
    assert len(await on_their_way(world)) == 2


async def test_the_photos_of_an_event_wait_until_its_selfies_are_on_their_way(
    world: World,
) -> None:
    event = await world.event()
    await analysed(world, event, 1)
    selfies = 2 * LIMITS.photos_at_once
    for _ in range(selfies):
        guest = await world.user()
        await world.join(guest, event)
        selfie = await world.insert_selfie(guest)
        await world.index(selfie, event, guest, status="done", engine=EMBEDDED)
    await live(world, "one", engine=OPENCV)
    feeder = Feeder(world.database, engine=OPENCV, limits=LIMITS)
    await feeder.feed()
    await feeder.feed()
    assert await world.scalar("SELECT count(*) FROM selfie_indexes") == LIMITS.photos_at_once
    assert await on_their_way(world) == set()
    await world.execute(
        text("DELETE FROM selfies WHERE id NOT IN (SELECT selfie_id FROM selfie_indexes)")
    )
    await feeder.feed()
    await world.execute(text("DELETE FROM selfies"))
    await feeder.feed()
    assert len(await on_their_way(world)) == 1


async def test_selfies_that_the_old_engine_left_unmatched_are_stale_and_not_in_hand(
    world: World, sent: list[Delivery]
) -> None:
    event = await world.event()
    for _ in range(LIMITS.photos_at_once):
        guest = await world.user()
        await world.join(guest, event)
        selfie = await world.insert_selfie(guest)
        await world.index(selfie, event, guest, status="indexed", engine=EMBEDDED)
    await live(world, "one", engine=OPENCV)
    await Feeder(world.database, engine=OPENCV, limits=LIMITS).feed()
    assert await world.scalar("SELECT count(*) FROM selfie_indexes") == 0
    await eventually(lambda: len(sent) == LIMITS.photos_at_once)


async def test_of_two_feeders_at_once_one_feeds(world: World, sent: list[Delivery]) -> None:
    await analysed(world, await world.event(), 2 * PHOTOS_PER_WORKER * LIMITS.photos_at_once)
    await live(world, "one", engine=OPENCV)
    feeders = [Feeder(world.database, engine=OPENCV, limits=LIMITS) for _ in range(4)]
    await asyncio.gather(*(feeder.feed() for feeder in feeders))
    assert len(await on_their_way(world)) == PHOTOS_PER_WORKER * LIMITS.photos_at_once
    await eventually(lambda: len(sent) == PHOTOS_PER_WORKER * LIMITS.photos_at_once)


async def test_a_photo_whose_message_was_lost_is_sent_again_after_a_while(
    world: World, sent: list[Delivery]
) -> None:
    (photo,) = await analysed(world, await world.event(), 1)
    await live(world, "one", engine=OPENCV)
    feeder = Feeder(world.database, engine=OPENCV, limits=LIMITS)
    await feeder.feed()
    await eventually(lambda: len(sent) == 1)
    since = (await world.photo_row(photo)).reindexing_since
    await feeder.feed()
    assert (await world.photo_row(photo)).reindexing_since == since
    await world.execute(text("UPDATE photos SET reindexing_since = now() - interval '61 seconds'"))
    await feeder.feed()
    await eventually(lambda: len(sent) == 2)


async def test_a_process_that_was_killed_in_the_middle_goes_on_at_its_next_start(
    world: World, settings: RecognitionSettings, resources: Resources
) -> None:
    event = await world.event()
    guest = await world.guest(event, 1)
    photos = [await world.photo(event, "people 1") for _ in range(12)]
    async with running_engine(EMBEDDED, settings, resources):
        await settled(world, EMBEDDED)
    # Its messages are gone with it, its selfie is claimed, one photo is in its hands.
    await live(world, "dead", engine=OPENCV)
    await Feeder(world.database, engine=OPENCV, limits=LIMITS).feed()
    await stop(world, "dead")
    await world.execute(text("DELETE FROM outbox"))
    assert await on_their_way(world)
    async with running_engine(OPENCV, settings, resources, keeps_messages=False):
        await settled(world, OPENCV)
    assert await world.matches(event) == {(guest, photo) for photo in photos}


async def test_a_new_photo_is_matched_before_the_old_ones_are(
    world: World, settings: RecognitionSettings, resources: Resources
) -> None:
    event = await world.event()
    guest = await world.guest(event, 1)
    for _ in range(60):
        await world.photo(event, "people 1")
    async with running_engine(EMBEDDED, settings, resources):
        await settled(world, EMBEDDED)
    async with running_engine(OPENCV, settings, resources):

        async def has_begun() -> bool:
            return bool(await on_their_way(world))

        await eventually(has_begun, poll_seconds=0.005)
        new = await world.photo(event, "people 1")

        async def is_matched() -> bool:
            return (guest, new) in await world.matches(event)

        await eventually(is_matched, poll_seconds=0.005)
        left = await world.scalar(
            "SELECT count(*) FROM photos WHERE engine = :engine", engine=EMBEDDED
        )
        assert left > 0
        await settled(world, OPENCV)


async def test_an_owner_of_another_engine_leaves_a_photo_to_those_that_can_match_it(
    world: World, settings: RecognitionSettings, resources: Resources
) -> None:
    event = await world.event()
    guest = await world.guest(event, 1)
    photo = await world.photo(event, "people 1")
    patient = settings.model_copy(update={"partition_lease_seconds": 600.0})
    async with running_engine(EMBEDDED, patient, resources):
        await settled(world, EMBEDDED)
        # Beside another engine's replica, this one's feeder leaves alone what it did not see.
        await between_feeds(world, partial(live, world, "new", engine=OPENCV))
        # That replica has analysed the photo, and this one owns its partition.
        await world.execute(
            text(
                "UPDATE photos SET engine = :engine, processing_status = 'analyzed'"
                " WHERE id = :photo"
            ).bindparams(engine=OPENCV, photo=photo)
        )
        theirs = to_bytes(as_of("opencv", embedding_of(1)))
        await world.execute(faces.update().values(engine=OPENCV, embedding=theirs))
        await world.execute(text("DELETE FROM matches"))
        async with world.database.unit_of_work() as unit:
            unit.publish(PhotoAnalyzed(event_id=event, photo_id=photo))
        other = await world.photo(event, "people 1")

        async def later_one_is_done() -> bool:
            return bool((await world.photo_row(other)).processing_status == "done")

        await eventually(later_one_is_done)
        assert (await world.photo_row(photo)).processing_status == "analyzed"
        await live(world, "old", engine=EMBEDDED)
        feeder = Feeder(world.database, engine=OPENCV, limits=LIMITS)
        assert await feeder.feed() is Fed.NOT_YET
    await stop(world, "old")
    await live(world, "new", engine=OPENCV)
    await world.execute(text("UPDATE photos SET enqueued_at = now() - interval '5 seconds'"))
    await feeder.feed()
    async with running_engine(OPENCV, settings, resources):
        await settled(world, OPENCV)
    assert await world.matches(event) == {(guest, photo), (guest, other)}

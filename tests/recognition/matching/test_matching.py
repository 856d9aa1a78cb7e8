import asyncio
import random

import pytest
from fastapi import FastAPI
from sqlalchemy import insert, text

from libs.common.database.database import Database
from libs.common.database.tables import match_overrides, photos, selfies
from libs.common.messaging.messages import Message, PhotoUploaded, RematchRequested, SelfieUploaded
from libs.common.rights.counted_matches import NOT_ME
from services.recognition.matching import repository as stored_matches
from services.recognition.matching.compare import Match
from tests.support.locks import someone_waits
from tests.support.polling import eventually
from tests.support.world import World

pytestmark = pytest.mark.usefixtures("recognition")


async def settled(world: World) -> bool:
    """Nothing waits any more: no message, no photo, no selfie."""
    return not await world.scalar(
        """
        SELECT (SELECT count(*) FROM outbox)
             + (SELECT count(*) FROM photos WHERE processing_status IN ('queued', 'analyzed'))
             + (SELECT count(*) FROM selfies s JOIN memberships USING (user_id)
                WHERE NOT EXISTS (SELECT 1 FROM selfie_indexes i WHERE i.selfie_id = s.id
                                  AND i.event_id = memberships.event_id
                                  AND i.status IN ('done', 'failed')))
        """
    )


async def test_a_photo_that_comes_after_the_selfie_is_matched(world: World) -> None:
    event = await world.event()
    guest = await world.guest(event, person=1)
    await eventually(lambda: settled(world))
    photo = await world.photo(event, "people 2 1")
    await eventually(lambda: settled(world))
    assert await world.matches(event) == {(guest, photo)}


async def test_a_selfie_that_comes_after_the_photos_is_matched_with_all_of_them(
    world: World,
) -> None:
    event = await world.event()
    photos = [await world.photo(event, "people 1") for _ in range(3)]
    await world.photo(event, "people 2")
    await world.photo(event, "people")
    await eventually(lambda: settled(world))
    guest = await world.guest(event, person=1)
    await eventually(lambda: settled(world))
    assert await world.matches(event) == {(guest, photo) for photo in photos}


async def test_photos_and_selfies_in_any_order_at_once_lose_no_match_and_make_none_up(
    world: World,
) -> None:
    event = await world.event()
    chosen = random.Random(7)
    people_of = {
        await world.photo(event, f"people {' '.join(map(str, people))}", publish=False): people
        for people in (chosen.sample(range(8), chosen.randint(0, 4)) for _ in range(30))
    }
    guests: dict[int, int] = {}
    selfie_of: dict[int, int] = {}
    for person in range(6):
        user = await world.user()
        await world.join(user, event)
        selfie_of[user] = await world.selfie(user, f"people {person}", publish=False)
        guests[user] = person

    messages: list[Message] = [PhotoUploaded(event_id=event, photo_id=photo) for photo in people_of]
    selfie_messages: list[Message] = [
        SelfieUploaded(event_id=event, user_id=user, selfie_id=selfie)
        for user, selfie in selfie_of.items()
    ]
    # Every message twice, in one random order: neither order nor repetition may matter.
    everything = [*messages, *selfie_messages] * 2
    chosen.shuffle(everything)

    async def publish(message: Message) -> None:
        async with world.database.unit_of_work() as unit:
            unit.publish(message)

    await asyncio.gather(*(publish(message) for message in everything))
    await eventually(lambda: settled(world))
    assert await world.matches(event) == {
        (user, photo)
        for user, person in guests.items()
        for photo, people in people_of.items()
        if person in people
    }
    faces = await world.scalar("SELECT count(*) FROM faces WHERE event_id = :event", event=event)
    assert faces == sum(len(people) for people in people_of.values())


async def test_a_photo_keeps_its_guests_apart_from_those_of_other_events(world: World) -> None:
    first, second = await world.event(), await world.event()
    await world.guest(first, person=1)
    guest = await world.guest(second, person=1)
    photo = await world.photo(second, "people 1")
    await eventually(lambda: settled(world))
    assert await world.matches(first) == set()
    assert await world.matches(second) == {(guest, photo)}


async def test_an_undecodable_photo_fails_with_its_reason_and_disturbs_nobody(
    world: World,
) -> None:
    event = await world.event()
    bad = await world.photo(event, "bad the file is truncated")
    good = await world.photo(event, "people 1")
    await eventually(lambda: settled(world))
    row = await world.photo_row(bad)
    assert (row.processing_status, row.processing_error) == ("failed", "the file is truncated")
    assert (await world.photo_row(good)).processing_status == "done"


async def test_a_photo_that_kills_its_worker_twice_fails_and_the_others_are_finished(
    world: World,
) -> None:
    event = await world.event()
    deadly = await world.photo(event, "crash")
    others = [await world.photo(event, "people 1") for _ in range(4)]
    await eventually(lambda: settled(world))
    row = await world.photo_row(deadly)
    assert row.processing_status == "failed"
    assert "cannot be processed" in row.processing_error
    for photo in others:
        assert (await world.photo_row(photo)).processing_status == "done"


async def test_a_selfie_without_a_face_ends_as_failed_not_as_forever_running(
    world: World,
) -> None:
    event = await world.event()
    user = await world.user()
    await world.join(user, event)
    await world.selfie(user, "people")
    await eventually(lambda: settled(world))
    assert await world.scalar("SELECT status FROM selfie_indexes") == "failed"


async def test_a_face_that_is_only_nearly_alike_is_kept_but_not_shown(world: World) -> None:
    event = await world.event()
    guest = await world.guest(event, person=1)
    photo = await world.photo(event, "people 1?")
    await eventually(lambda: settled(world))
    assert await world.matches(event) == set()
    assert await world.scalar("SELECT round(similarity) FROM matches") == 80
    await world.execute(text("UPDATE events SET match_threshold = 79"))
    assert await world.matches(event) == {(guest, photo)}


async def test_several_selfies_find_photos_together_and_each_its_own(world: World) -> None:
    event = await world.event()
    guest = await world.guest(event, person=1)
    with_beard = await world.selfie(guest, "people 2")
    both = await world.photo(event, "people 1 2")
    only_with_beard = await world.photo(event, "people 2")
    await eventually(lambda: settled(world))
    assert await world.matches(event) == {(guest, both), (guest, only_with_beard)}
    await world.delete(selfies, with_beard)
    assert await world.matches(event) == {(guest, both)}


async def test_what_a_guest_denied_stays_denied_whatever_is_matched_again(world: World) -> None:
    event = await world.event()
    guest = await world.guest(event, person=1)
    denied = await world.photo(event, "people 1")
    await eventually(lambda: settled(world))
    await world.execute(
        insert(match_overrides).values(
            user_id=guest, event_id=event, photo_id=denied, verdict=NOT_ME
        )
    )
    await world.selfie(guest, "people 1")
    other = await world.photo(event, "people 1")
    async with world.database.unit_of_work() as unit:
        unit.publish(RematchRequested(event_id=event))
    await eventually(lambda: settled(world))
    assert await world.matches(event) == {(guest, other)}


async def test_what_falls_below_a_raised_thresholds_band_is_forgotten_on_rematch(
    world: World,
) -> None:
    event = await world.event()
    await world.guest(event, person=1)
    await world.photo(event, "people 1")
    await eventually(lambda: settled(world))
    async with world.database.unit_of_work() as unit:
        await unit.connection.exec_driver_sql("UPDATE matches SET similarity = 86")
        await unit.connection.exec_driver_sql("UPDATE events SET match_threshold = 97")
        await unit.connection.exec_driver_sql("DELETE FROM faces")
        unit.publish(RematchRequested(event_id=event))

    async def gone() -> bool:
        return not await world.scalar("SELECT count(*) FROM matches")

    await eventually(gone)


async def test_a_match_of_a_selfie_deleted_meanwhile_is_not_written(
    world: World, recognition: FastAPI
) -> None:
    database: Database = recognition.state.resources.database
    event = await world.event()
    user = await world.user()
    selfie = await world.selfie(user, "people 1")
    photo = await world.photo(event, "people", publish=False)
    face = await world.face(photo, event)
    match = Match(user_id=user, photo_id=photo, selfie_id=selfie, face_id=face, similarity=99.0)
    async with world.database.engine.connect() as deleting:
        await deleting.execute(selfies.delete().where(selfies.c.id == selfie))
        writing = asyncio.create_task(write(database, event, [match]))
        await eventually(lambda: someone_waits(world.database))
        await deleting.commit()
        await writing
    assert await world.matches(event) == set()


async def test_matches_and_a_deletion_of_many_photos_do_not_wait_for_each_other(
    world: World, recognition: FastAPI
) -> None:
    database: Database = recognition.state.resources.database
    event = await world.event()
    early, late = [await world.photo(event, "people", publish=False) for _ in range(2)]
    found = []
    # By guest the later photo comes first.
    for photo in (late, early):
        user = await world.user()
        await world.join(user, event)
        selfie = await world.selfie(user, "people 1", publish=False)
        face = await world.face(photo, event)
        found.append(Match(user, photo, selfie, face, 99.0))
    async with world.database.engine.connect() as deleting:
        await deleting.execute(photos.delete().where(photos.c.id == early))
        writing = asyncio.create_task(write(database, event, found))
        await eventually(lambda: someone_waits(world.database))
        await deleting.execute(photos.delete().where(photos.c.id == late))
        await deleting.commit()
        await writing
    assert await world.scalar("SELECT count(*) FROM matches") == 0


async def write(database: Database, event_id: int, found: list[Match]) -> None:
    async with database.unit_of_work() as unit:
        await stored_matches.upsert(unit.connection, event_id, found)

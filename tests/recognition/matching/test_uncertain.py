"""How many matches below the threshold are kept, and that a threshold finds all of them again."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import delete, insert, select, update

from libs.common.database.tables import events, faces, match_overrides, matches, photos
from libs.common.messaging.messages import RematchRequested
from libs.common.rights.counted_matches import ADDED
from services.recognition.matching import uncertain
from services.recognition.matching.compare import Match
from services.recognition.matching.match import Matcher, rematch_event
from services.recognition.matching.uncertain import (
    FLOOR_SECONDS,
    Floors,
    UncertainMatches,
    doubtful_below,
)
from tests.recognition.matching import test_finishing as compared
from tests.recognition.matching.test_matching import settled
from tests.support.polling import eventually
from tests.support.rows import Rows
from tests.support.world import World

KEPT = 3
PHOTOS = 20


def matches_of(selfie_id: int, *similarities: float) -> list[Match]:
    return [
        Match(user_id=1, photo_id=number, selfie_id=selfie_id, face_id=1, similarity=similarity)
        for number, similarity in enumerate(similarities)
    ]


def similarities(found: Sequence[Match]) -> list[float]:
    return [match.similarity for match in found]


def test_sure_matches_are_kept_however_many_and_doubtful_ones_above_the_floor() -> None:
    kept = UncertainMatches(KEPT)
    found = matches_of(1, 90, 84, 83, 82, 81, 85)
    assert kept.worth_keeping(7, found, threshold=85) == found
    assert kept.grown(7) == [1]
    kept.note(7, [1], Floors(85, {1: 82.0}))
    assert kept.grown(7) == []
    again = kept.worth_keeping(7, matches_of(1, 99, 85, 82.5, 82, 81), threshold=85)
    assert similarities(again) == [99, 85, 82.5]
    # Another selfie, and another event, have no floor yet.
    assert kept.worth_keeping(7, matches_of(2, 80), threshold=85)
    assert kept.worth_keeping(8, matches_of(1, 80), threshold=85)


def test_another_threshold_begins_without_floors() -> None:
    kept = UncertainMatches(KEPT)
    kept.worth_keeping(7, matches_of(1, 84, 83, 82), threshold=85)
    kept.note(7, [1], Floors(85, {1: 82.0}))
    assert similarities(kept.worth_keeping(7, matches_of(1, 71), threshold=80)) == [71]


def test_a_floor_is_looked_at_again_as_matches_may_have_gone() -> None:
    now = 0.0
    kept = UncertainMatches(KEPT, clock=lambda: now)
    kept.worth_keeping(7, matches_of(1, 84, 83, 82), threshold=85)
    kept.note(7, [1], Floors(85, {1: 82.0}))
    now = FLOOR_SECONDS - 1
    assert not kept.worth_keeping(7, matches_of(1, 81), threshold=85)
    now = FLOOR_SECONDS
    assert similarities(kept.worth_keeping(7, matches_of(1, 81, 78), threshold=85)) == [81, 78]
    assert kept.worth_keeping(7, matches_of(1, 77), threshold=85)
    assert kept.grown(7) == [1]


def test_floors_of_another_threshold_are_not_taken_for_this_ones() -> None:
    kept = UncertainMatches(KEPT)
    kept.worth_keeping(7, matches_of(1, 74, 73, 72), threshold=75)
    kept.note(7, [1], Floors(85, {1: 84.0}))
    assert similarities(kept.worth_keeping(7, matches_of(1, 71), threshold=75)) == [71]


def test_what_the_usual_threshold_would_show_is_never_doubtful() -> None:
    assert [doubtful_below(threshold) for threshold in (60, 85, 97)] == [60, 85, 85]


@pytest.fixture
def few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uncertain.UncertainMatches.__init__, "__defaults__", (KEPT,))


@pytest.mark.usefixtures("few_are_kept", "recognition")
async def test_a_guests_uncertain_photos_are_bounded_whoever_comes_first(world: World) -> None:
    event = await world.event()
    early = await world.guest(event, person=1)
    await eventually(lambda: settled(world))
    for _ in range(PHOTOS):
        await world.photo(event, "people 1? 2?")
    sure = [await world.photo(event, "people 1 2") for _ in range(2 * KEPT)]
    await eventually(lambda: settled(world))
    late = await world.guest(event, person=2)
    await eventually(lambda: settled(world))
    for guest in (early, late):

        async def are_bounded(guest: int = guest) -> bool:
            kept = await world.scalar(
                "SELECT count(*) FROM matches WHERE user_id = :guest AND similarity < 85",
                guest=guest,
            )
            return bool(KEPT <= kept <= 2 * KEPT)

        await eventually(are_bounded)
        assert {photo for user, photo in await world.matches(event) if user == guest} == {*sure}


@pytest.mark.usefixtures("few_are_kept", "recognition")
async def test_a_lower_threshold_finds_all_that_was_not_kept(world: World) -> None:
    event = await world.event()
    guest = await world.guest(event, person=1)
    await eventually(lambda: settled(world))
    photos = [await world.photo(event, "people 1?") for _ in range(PHOTOS)]
    await eventually(lambda: settled(world))

    async def some_were_dropped() -> bool:
        return bool(await world.scalar("SELECT count(*) FROM matches") < PHOTOS)

    await eventually(some_were_dropped)
    async with world.database.unit_of_work() as unit:
        await unit.connection.exec_driver_sql("UPDATE events SET match_threshold = 79")
        unit.publish(RematchRequested(event_id=event))

    async def all_are_shown() -> bool:
        return await world.matches(event) == {(guest, photo) for photo in photos}

    await eventually(all_are_shown)


@pytest.mark.usefixtures("few_are_kept", "recognition")
async def test_what_a_guest_spoke_of_is_kept_besides(world: World) -> None:
    event = await world.event()
    guest = await world.guest(event, person=1)
    await eventually(lambda: settled(world))
    first = await world.photo(event, "people 1?")
    await eventually(lambda: settled(world))
    await world.execute(
        insert(match_overrides).values(
            user_id=guest, event_id=event, photo_id=first, verdict=ADDED, added_by=guest
        )
    )
    # Less alike than all that come.
    await world.execute(matches.update().values(similarity=76))
    for _ in range(PHOTOS):
        await world.photo(event, "people 1?")
    await eventually(lambda: settled(world))

    async def some_were_dropped() -> bool:
        return bool(await world.scalar("SELECT count(*) FROM matches") < PHOTOS)

    await eventually(some_were_dropped)
    assert await world.scalar("SELECT count(*) FROM matches WHERE photo_id = :photo", photo=first)


async def found_below(rows: Rows, event: int, *, count: int) -> tuple[Matcher, list[Match]]:
    """A matcher that compares nothing, and so many matches below the threshold of one selfie."""
    owner, selfie = await compared.guest(rows, event, 1)
    for _ in range(count):
        await compared.photo(rows, event, 2)
    async with rows.database.read() as connection:
        shown = await connection.execute(select(faces.c.id, faces.c.photo_id))
    found = [
        Match(owner, face.photo_id, selfie, face.id, 74 - number / 8)
        for number, face in enumerate(shown)
    ]
    return replace(compared.matcher(rows), uncertain=UncertainMatches(KEPT)), found


async def test_a_threshold_that_is_raised_for_a_moment_leaves_no_floors(rows: Rows) -> None:
    event = await rows.event()
    await rows.execute(update(events).values(match_threshold=75))
    using, found = await found_below(rows, event, count=KEPT + 1)
    least = await using.least_similarity(event)
    # Raised while these are written, and taken back before the next ones come.
    await rows.execute(update(events).values(match_threshold=85))
    await using.keep(event, found[:KEPT], least=least)
    await rows.execute(update(events).values(match_threshold=75))
    assert using.worth_keeping(event, found[KEPT:], least=least) == found[KEPT:]


async def test_a_rematch_asks_no_floors(rows: Rows) -> None:
    event = await rows.event()
    await rows.execute(update(events).values(match_threshold=85))
    using, found = await found_below(rows, event, count=KEPT + 1)
    found = [replace(match, similarity=match.similarity + 8) for match in found]
    least = await using.least_similarity(event)
    await using.keep(event, found[:KEPT], least=least)
    assert using.worth_keeping(event, found[KEPT:], least=least) == []
    await rows.execute(delete(photos))
    await rematch_event(RematchRequested(event_id=event), using=using)
    assert using.worth_keeping(event, found[KEPT:], least=least) == found[KEPT:]

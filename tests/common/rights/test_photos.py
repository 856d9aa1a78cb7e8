"""The one rule of who may see a photo, asked of the database and compared with plain words."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import pytest
from sqlalchemy import insert, select

from libs.common.database.database import Database
from libs.common.database.tables import events, match_overrides, matches, photos
from libs.common.rights.photos import is_shown_to_all, may_see, photos_shown_to_all
from libs.common.web.auth import Principal, Role
from tests.support.people import Person
from tests.support.rows import Rows

SHOWN = (None, True, False)


@dataclass(frozen=True)
class Tie:
    """What was found and said of a guest and a photo, and whether the guest is in it by that."""

    similarity: float | None = None
    verdict: str | None = None
    is_in_it: bool = False


TIES = {
    "nothing": Tie(),
    "sure": Tie(95.0, is_in_it=True),
    "below the threshold": Tie(80.0),
    "denied": Tie(95.0, "not_me"),
    "added": Tie(None, "added", is_in_it=True),
    "added and nearly alike": Tie(80.0, "added", is_in_it=True),
    "denied without a match": Tie(None, "not_me"),
}


class World(Rows):
    async def tie(self, guest: Person, event_id: int, photo_id: int, tie: Tie) -> None:
        selfie_id = await self.insert_selfie(guest)
        about = {"user_id": guest.id, "event_id": event_id, "photo_id": photo_id}
        if tie.similarity is not None:
            values = {"selfie_id": selfie_id, "face_id": 0, "similarity": tie.similarity}
            await self.execute(insert(matches).values(about | values))
        if tie.verdict is not None:
            await self.execute(insert(match_overrides).values(about | {"verdict": tie.verdict}))

    async def seen_by(self, person: Person, role: Role) -> set[int]:
        async with self.database.read() as connection:
            found: Iterable[int] = await connection.scalars(
                select(photos.c.id)
                .join(events, events.c.id == photos.c.event_id)
                .where(may_see(Principal(person.id, role)))
            )
            return set(found)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.mark.parametrize("selected_only", [False, True])
async def test_a_photo_is_seen_by_those_whom_the_rule_names(
    world: World, selected_only: bool
) -> None:
    owner, uploader = [await world.person(Role.PHOTOGRAPHER) for _ in range(2)]
    admin, other_photographer = (
        await world.person(Role.ADMIN),
        await world.person(Role.PHOTOGRAPHER),
    )
    event_id, elsewhere = await world.event(owner), await world.event(other_photographer)
    guest = await world.person(joined=event_id)
    of_another_event = await world.person(joined=elsewhere)
    stranger = await world.person()
    shown = SHOWN if selected_only else (None, False)
    expected, everybody, general = set(), set(), set()
    for show, tie in product(shown, TIES.values()):
        photo_id = await world.insert_photo(
            event_id, show_in_general=show, photographer_id=uploader.id
        )
        await world.tie(guest, event_id, photo_id, tie)
        everybody.add(photo_id)
        if is_shown_to_all(show_in_general=show, selected_only=selected_only):
            general.add(photo_id)
        if photo_id in general or tie.is_in_it:
            expected.add(photo_id)
    assert await world.seen_by(guest, Role.PARTICIPANT) == expected
    assert everybody - expected, "some are hidden"
    for person, role in (
        (owner, Role.PHOTOGRAPHER),
        (uploader, Role.PHOTOGRAPHER),
        (admin, Role.ADMIN),
    ):
        assert await world.seen_by(person, role) == everybody
    for person, role in (
        (of_another_event, Role.PARTICIPANT),
        (stranger, Role.PARTICIPANT),
        (other_photographer, Role.PHOTOGRAPHER),
    ):
        assert await world.seen_by(person, role) == set()
    async with world.database.read() as connection:
        assert await photos_shown_to_all(connection, list(everybody)) == general


async def test_an_account_that_was_a_photographers_sees_nothing_as_a_guest(world: World) -> None:
    """The role decides by which right somebody sees a photo, not what the rows once said."""
    owner = await world.person(Role.PHOTOGRAPHER)
    await world.insert_photo(await world.event(owner), photographer_id=owner.id)
    assert await world.seen_by(owner, Role.PARTICIPANT) == set()


async def test_a_match_counts_by_the_events_own_threshold(world: World) -> None:
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    photo_id = await world.insert_photo(event_id, show_in_general=False)
    await world.tie(guest, event_id, photo_id, Tie(80.0))
    assert await world.seen_by(guest, Role.PARTICIPANT) == set()
    await world.execute(events.update().values(match_threshold=75.0))
    assert await world.seen_by(guest, Role.PARTICIPANT) == {photo_id}


async def test_who_left_the_event_sees_none_of_it(world: World) -> None:
    event_id = await world.event()
    guest = await world.person()
    photo_id = await world.insert_photo(event_id)
    await world.tie(guest, event_id, photo_id, TIES["sure"])
    assert await world.seen_by(guest, Role.PARTICIPANT) == set()

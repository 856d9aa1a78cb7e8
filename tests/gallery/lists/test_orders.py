"""Lists by arrival and by when photos were taken, the newest or the oldest first."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from libs.common.database.tables import photos
from tests.gallery.world import NOON, World
from tests.support.people import Person

#: By minutes; None where the camera said nothing. Equal ones, both ways around, and one between.
ARRIVED_AND_TAKEN = [(0, 50), (0, 50), (1, None), (2, 10), (2, None), (3, 10), (4, 2), (90, None)]


@dataclass(frozen=True)
class Stored:
    """A photo, and its two moments."""

    id: int
    arrived: datetime
    taken: datetime | None

    @property
    def moment(self) -> datetime:
        return self.taken or self.arrived.astimezone(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Lists:
    """An event that everybody in the world sees whole."""

    event_id: int
    stored: list[Stored]
    guest: Person
    photographer: Person

    def expected(self, sort: str, direction: str) -> list[int]:
        key: Callable[[Stored], tuple[datetime, int]] = (
            (lambda one: (one.moment, one.id))
            if sort == "taken"
            else (lambda one: (one.arrived, one.id))
        )
        found = sorted(self.stored, key=key, reverse=direction == "desc")
        return [one.id for one in found]

    def paths(self) -> list[tuple[str, Person]]:
        guests = f"/api/user/events/{self.event_id}"
        return [
            ("/api/my-photos", self.guest),
            ("/api/all-photos", self.guest),
            (f"{guests}/photos", self.guest),
            (f"{guests}/all-photos", self.guest),
            (f"/api/photographer/events/{self.event_id}/photos", self.photographer),
        ]


@pytest.fixture
async def lists(world: World) -> Lists:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    stored = []
    for arrived, taken in ARRIVED_AND_TAKEN:
        came = NOON + timedelta(minutes=arrived)
        photo_id = await world.photo(event_id, uploaded_at=came)
        moment = None
        if taken is not None:
            moment = NOON.replace(tzinfo=None) + timedelta(minutes=taken)
            await world.change(photos, photo_id, taken_at=moment)
        stored.append(Stored(photo_id, came, moment))
    guest = await world.person(joined=event_id)
    await world.match(guest, event_id, [one.id for one in stored], await world.selfie(guest))
    elsewhere = await world.event()
    await world.photo(elsewhere)
    return Lists(event_id, stored, guest, photographer)


async def walked(world: World, person: Person, first: str) -> list[list[int]]:
    """Follow the Link header to the end."""
    found: list[list[int]] = []
    url: str | None = first
    while url is not None:
        answer = await world.client.get(url, headers=person.headers)
        assert answer.status_code == 200, answer.text
        found.append([photo["id"] for photo in answer.json()])
        url = answer.links.get("next", {}).get("url")
    return found


@pytest.mark.parametrize("few", [2, 200])
@pytest.mark.parametrize("sort", ["arrived", "taken"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
async def test_pages_of_every_order_hold_every_photo_once(
    world: World,
    lists: Lists,
    monkeypatch: pytest.MonkeyPatch,
    sort: str,
    direction: str,
    few: int,
) -> None:
    monkeypatch.setattr("services.gallery.lists.repository.FEW_IDS", few)
    expected = lists.expected(sort, direction)
    for (path, person), limit in itertools.product(lists.paths(), (1, 3, 8, 1000)):
        query = f"limit={limit}&sort={sort}&direction={direction}"
        pages = await walked(world, person, f"{path}?{query}")
        assert [photo_id for page in pages for photo_id in page] == expected, (path, limit)
        assert all(len(page) == limit for page in pages[:-1])
    for path, person in lists.paths():
        [whole] = await walked(world, person, f"{path}?direction={direction}&sort={sort}")
        assert whole == expected


async def test_without_a_word_the_last_that_came_is_first(world: World, lists: Lists) -> None:
    for path, person in lists.paths():
        [whole] = await walked(world, person, path)
        assert whole == lists.expected("arrived", "desc")
        answer = await world.client.get(f"{path}?limit=2", headers=person.headers)
        assert "sort" not in answer.headers["link"]


async def test_a_kept_list_is_of_its_order(world: World, lists: Lists) -> None:
    for _ in range(2):
        for sort, direction in itertools.product(("arrived", "taken"), ("asc", "desc")):
            query = f"limit=100&sort={sort}&direction={direction}"
            [page] = await walked(world, lists.guest, f"/api/my-photos?{query}")
            assert page == lists.expected(sort, direction)


@pytest.mark.parametrize("query", ["sort=name", "direction=up", "sort="])
async def test_an_order_that_is_none_is_refused(world: World, lists: Lists, query: str) -> None:
    answer = await world.client.get(f"/api/my-photos?{query}", headers=lists.guest.headers)

    assert answer.status_code == 422


async def test_a_photographers_uploads_are_in_their_usual_order(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    ids = [await world.photo(event_id, photographer=photographer) for _ in range(3)]

    [whole] = await walked(world, photographer, "/api/my-uploaded-photos?sort=taken&direction=asc")

    assert whole == ids[::-1]

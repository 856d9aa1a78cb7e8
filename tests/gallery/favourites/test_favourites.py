"""Guests keep photos that they want to find again."""

from typing import Any

import pytest

from libs.common.database.tables import favourites, photos
from services.gallery.favourites import favourites as rules
from tests.gallery.lists.test_participant_photos import PHOTO_KEYS, guest_with_matches, ids
from tests.gallery.world import World
from tests.support.people import Person


async def keep(world: World, person: Person, photo_id: int, method: str = "PUT") -> Any:
    path = f"/api/my-photos/{photo_id}/favourite"
    return await world.client.request(method, path, headers=person.headers)


async def kept(world: World, person: Person, event_id: int) -> list[int]:
    return await ids(world, person, f"/api/user/events/{event_id}/favourites")


async def test_a_guest_finds_the_photos_again_that_they_kept(world: World) -> None:
    event_id = await world.event()
    first, second, other = [await world.photo(event_id) for _ in range(3)]
    guest, _ = await guest_with_matches(world, event_id, [second])
    for photo_id in (first, second, second):
        assert (await keep(world, guest, photo_id)).status_code == 200
    path = f"/api/user/events/{event_id}/favourites"
    answer = await world.client.get(path, headers=guest.headers)
    assert [(one["id"], one["has_face_match"]) for one in answer.json()] == [
        (second, True),
        (first, False),
    ]
    assert set(answer.json()[0]) == PHOTO_KEYS | {"event_name", "has_face_match"}
    assert (await keep(world, guest, first, "DELETE")).status_code == 200
    assert (await keep(world, guest, other, "DELETE")).status_code == 404
    assert await kept(world, guest, event_id) == [second]
    assert await kept(world, await world.person(joined=event_id), event_id) == []


async def test_what_a_guest_may_not_see_is_no_favourite_of_theirs(world: World) -> None:
    event_id = await world.event()
    hidden = await world.photo(event_id, show_in_general=False)
    guest = await world.person(joined=event_id)
    assert (await keep(world, guest, hidden)).status_code == 404
    photo_id = await world.photo(event_id)
    assert (await keep(world, guest, photo_id)).status_code == 200
    await world.change(photos, photo_id, show_in_general=False)
    assert await kept(world, guest, event_id) == []
    # Where it may be seen again, it is there again.
    await world.change(photos, photo_id, show_in_general=None)
    assert await kept(world, guest, event_id) == [photo_id]


async def test_there_are_as_many_favourites_as_a_list_holds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MAX_FAVOURITES", 1)
    event_id = await world.event()
    first, second = [await world.photo(event_id) for _ in range(2)]
    guest = await world.person(joined=event_id)
    assert (await keep(world, guest, first)).status_code == 200
    assert (await keep(world, guest, second)).status_code == 409
    await world.client.request("DELETE", "/api/me", headers=guest.headers)
    assert await world.rows(favourites) == []

"""A photographer says that a guest who was found in a photo is somebody else."""

import httpx
import pytest

from libs.common.database.tables import audit, match_overrides
from tests.gallery.in_photo.test_verdicts import SURE, UNCERTAIN, Guest
from tests.gallery.world import World
from tests.support.people import Person


async def scene(world: World) -> tuple[Guest, Person]:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    person = await world.person(joined=event_id)
    return Guest(world, person, event_id, await world.selfie(person)), photographer


async def say(
    guest: Guest, photo_id: int, by: Person, word: str = "/not-them", method: str = "PUT"
) -> httpx.Response:
    path = f"/api/photographer/events/{guest.event_id}/photos/{photo_id}/guests"
    json = None if word else {"user_id": guest.person.id}
    whole = f"{path}/{guest.person.id}{word}" if word else path
    return await guest.world.client.request(method, whole, headers=by.headers, json=json)


async def test_who_is_not_them_is_shown_and_asked_no_more_until_it_is_taken_back(
    world: World,
) -> None:
    guest, photographer = await scene(world)
    sure, uncertain = await guest.photo(SURE), await guest.photo(UNCERTAIN)
    for photo_id in (sure, uncertain, sure):
        assert (await say(guest, photo_id, photographer)).status_code == 200
    assert (await guest.photos(), await guest.uncertain()) == ([], [])
    sent = [topic for topic, _ in await world.sent()]
    assert sent == ["match.changed", "match.changed"]
    assert [row["action"] for row in await world.rows(audit)] == ["guest.excluded"] * 2
    for photo_id in (sure, uncertain):
        answer = await say(guest, photo_id, photographer, method="DELETE")
        assert answer.status_code == 200
    assert (await guest.photos(), await guest.uncertain()) == ([sure], [uncertain])


async def test_adding_them_again_goes_before_that_they_are_not(world: World) -> None:
    guest, photographer = await scene(world)
    photo_id = await guest.photo(None)
    assert (await say(guest, photo_id, photographer, "", "POST")).status_code == 200
    assert (await say(guest, photo_id, photographer)).status_code == 200
    assert await guest.photos() == []
    assert (await say(guest, photo_id, photographer, "", "POST")).status_code == 200
    assert await guest.photos() == [photo_id]


async def test_a_guests_own_word_goes_before_the_photographers(world: World) -> None:
    guest, photographer = await scene(world)
    photo_id = await guest.photo(SURE)
    assert (await guest.say(photo_id, "its-me")).status_code == 200
    assert (await say(guest, photo_id, photographer)).status_code == 409
    assert await guest.photos() == [photo_id]
    other = await guest.photo(SURE)
    assert (await say(guest, other, photographer)).status_code == 200
    assert (await guest.say(other, "its-me")).status_code == 200
    assert sorted(await guest.photos()) == [photo_id, other]
    verdicts = {row["photo_id"]: row["verdict"] for row in await world.rows(match_overrides)}
    assert verdicts == {photo_id: "added", other: "added"}


@pytest.mark.parametrize("guest_speaks_first", [True, False])
async def test_a_guests_not_me_keeps_the_photographers_word_for_when_it_is_taken_back(
    world: World, guest_speaks_first: bool
) -> None:
    guest, photographer = await scene(world)
    # All guests see it: one who is not in it can still say so.
    photo_id = await guest.photo(SURE)
    if guest_speaks_first:
        assert (await guest.say(photo_id, "not-me")).status_code == 200
        assert (await say(guest, photo_id, photographer)).status_code == 200
    else:
        assert (await say(guest, photo_id, photographer)).status_code == 200
        assert (await guest.say(photo_id, "not-me")).status_code == 200
    assert [row["action"] for row in await world.rows(audit)] == ["guest.excluded"]
    for _ in range(2):
        assert (await guest.say(photo_id, "not-me", "DELETE")).status_code == 200
        assert await guest.photos() == []
    assert (await say(guest, photo_id, photographer, method="DELETE")).status_code == 200
    assert await guest.photos() == [photo_id]


async def test_what_the_photographer_took_back_under_a_guests_not_me_does_not_come_back(
    world: World,
) -> None:
    guest, photographer = await scene(world)
    photo_id = await guest.photo(SURE)
    assert (await guest.say(photo_id, "not-me")).status_code == 200
    assert (await say(guest, photo_id, photographer)).status_code == 200
    assert (await say(guest, photo_id, photographer, method="DELETE")).status_code == 200
    assert await guest.photos() == []
    assert (await guest.say(photo_id, "not-me", "DELETE")).status_code == 200
    assert await guest.photos() == [photo_id]


async def test_under_a_guests_not_me_the_photographers_last_word_is_the_one_that_counts(
    world: World,
) -> None:
    guest, photographer = await scene(world)
    photo_id = await guest.photo(None)
    assert (await say(guest, photo_id, photographer, "", "POST")).status_code == 200
    assert (await guest.say(photo_id, "not-me")).status_code == 200
    assert (await say(guest, photo_id, photographer)).status_code == 200
    assert (await guest.say(photo_id, "not-me", "DELETE")).status_code == 200
    assert await guest.photos() == []


async def test_a_guests_own_its_me_comes_back_whatever_the_photographer_said_meanwhile(
    world: World,
) -> None:
    guest, photographer = await scene(world)
    photo_id = await guest.photo(SURE)
    for word in ("its-me", "not-me"):
        assert (await guest.say(photo_id, word)).status_code == 200
    assert (await say(guest, photo_id, photographer)).status_code == 200
    assert (await guest.say(photo_id, "not-me", "DELETE")).status_code == 200
    assert await guest.photos() == [photo_id]


async def test_others_events_are_not_spoken_of(world: World) -> None:
    guest, _ = await scene(world)
    photo_id = await guest.photo(SURE)
    assert (await say(guest, photo_id, await world.photographer())).status_code == 404
    assert await guest.photos() == [photo_id]

"""Who runs an event takes a guest out of it."""

from typing import Any

import pytest
from sqlalchemy import update

from libs.common.database.tables import favourites, matches, memberships, selfies, users
from libs.common.messaging.messages import MatchChanged
from tests.gallery.in_photo.test_verdicts import SURE, Guest
from tests.gallery.world import World
from tests.support.people import Person
from tests.support.polling import PATIENCE_SECONDS, eventually


async def removed(world: World, event_id: int, guest: Person, by: Person) -> Any:
    path = f"/api/photographer/events/{event_id}/guests/{guest.id}"
    return await world.client.delete(path, headers=by.headers)


async def found_guest(world: World, event_id: int) -> tuple[Person, int]:
    person = await world.person(joined=event_id)
    guest = Guest(world, person, event_id, await world.selfie(person))
    photo_id = await guest.photo(SURE)
    kept = await world.client.put(f"/api/my-photos/{photo_id}/favourite", headers=person.headers)
    assert kept.status_code == 200
    return person, photo_id


async def test_a_guest_without_a_password_goes_with_everything(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    guest, _ = await found_guest(world, event_id)
    await world.execute(update(users).where(users.c.id == guest.id).values(password_hash=None))
    assert (await removed(world, event_id, guest, photographer)).status_code == 200
    for table in (memberships, matches, selfies, favourites):
        assert await world.rows(table) == []
    assert [row["id"] for row in await world.rows(users)] == [photographer.id]
    assert {"selfie.deleted", "account.deleted"} <= {topic for topic, _ in await world.sent()}
    assert (await removed(world, event_id, guest, photographer)).status_code == 404


async def test_a_guest_of_other_events_leaves_this_one_alone(world: World) -> None:
    photographer = await world.photographer()
    event_id, other = await world.event(photographer), await world.event(photographer)
    guest, _ = await found_guest(world, event_id)
    await world.join(guest, other)
    second = Guest(world, guest, other, (await world.rows(selfies))[0]["id"])
    there = await second.photo(SURE)
    assert (await removed(world, event_id, guest, photographer)).status_code == 200
    assert [row["event_id"] for row in await world.rows(memberships)] == [other]
    assert [row["photo_id"] for row in await world.rows(matches)] == [there]
    assert await world.rows(favourites) == []
    assert len(await world.rows(selfies)) == 1
    [(topic, body)] = await world.sent()
    assert (topic, body["user_ids"]) == ("match.changed", [guest.id])


async def test_who_is_taken_out_of_their_main_event_sees_the_next_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    photographer = await world.photographer()
    first, second = await world.event(photographer), await world.event(photographer)
    guest = await world.person(joined=first)
    await world.join(guest, second)
    shown = await world.photo(second)
    main_events = world.app.state.gallery.main_events
    # Not by its age.
    monkeypatch.setattr(main_events, "_kept_seconds", 10 * PATIENCE_SECONDS)
    assert (await world.client.get("/api/all-photos", headers=guest.headers)).json() == []
    assert main_events.known(guest.id).value == first
    assert (await removed(world, first, guest, photographer)).status_code == 200
    await world.publish(MatchChanged(event_id=first, user_ids=(guest.id,)))
    await eventually(lambda: main_events.known(guest.id) is None)
    answer = await world.client.get("/api/all-photos", headers=guest.headers)
    assert [photo["id"] for photo in answer.json()] == [shown]


async def test_only_guests_of_ones_own_events_are_taken_out(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    guest = await world.person(joined=event_id)
    stranger = await world.person(joined=await world.event())
    assert (await removed(world, event_id, stranger, photographer)).status_code == 404
    assert (await removed(world, event_id, photographer, photographer)).status_code == 404
    assert (await removed(world, event_id, guest, await world.photographer())).status_code == 404
    assert len(await world.rows(memberships)) == 2

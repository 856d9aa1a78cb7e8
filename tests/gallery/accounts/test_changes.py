"""Changing events, and deleting events and accounts."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from libs.common.database.tables import (
    audit,
    events,
    faces,
    matches,
    memberships,
    outbox,
    photos,
    selfies,
    users,
)
from libs.common.messaging.messages import AccountDeleted, EventDeleted, SelfieDeleted
from libs.common.web.auth import Role
from services.gallery.settings import DELETE_AGAIN_SECONDS
from tests.gallery.streams import open_stream
from tests.gallery.world import World
from tests.support.http_server import serving
from tests.support.people import Person
from tests.support.polling import PATIENCE_SECONDS, eventually


@pytest.fixture
async def admin(world: World) -> Person:
    return await world.admin()


async def change(world: World, admin: Person, event_id: int, **values: object) -> httpx.Response:
    return await world.client.put(
        f"/api/admin/events/{event_id}", json=values, headers=admin.headers
    )


async def delete(world: World, person: Person, path: str) -> httpx.Response:
    return await world.client.delete(path, headers=person.headers)


async def test_a_changed_event_keeps_what_was_not_named(world: World, admin: Person) -> None:
    photographer = await world.photographer()
    event = await world.event(code="GALA")
    answer = await change(world, admin, event, name=" Summer gala ", photographer_id=None)
    assert answer.json() | {"expires_at": 0} == {
        "message": "Event updated.",
        "id": event,
        "name": "Summer gala",
        "event_code": "GALA",
        "date": None,
        "photographer_id": None,
        "strip_metadata": False,
        "duplicates": None,
        "time_zone": None,
        "expires_at": 0,
    }
    changed = (await change(world, admin, event, photographer_id=photographer.id)).json()
    assert (changed["name"], changed["photographer_id"]) == ("Summer gala", photographer.id)
    kept = await change(world, admin, event, event_code="GALA", name="Summer gala")
    assert kept.status_code == 200, kept.text
    renamed = (await change(world, admin, event, event_code=" ball 26 ")).json()
    assert (renamed["event_code"], renamed["name"]) == ("ball26", "Summer gala")
    assert [topic for topic, _ in await world.sent()] == ["event.changed"] * 4


async def test_its_photographer_says_when_photos_of_an_event_are_duplicates(world: World) -> None:
    photographer = await world.photographer()
    event = await world.event(photographer)
    url = f"/api/photographer/events/{event}/upload-settings"
    for rule in ("event", "window", None):
        answer = await world.client.put(
            url, json={"duplicates": rule}, headers=photographer.headers
        )
        assert (answer.status_code, answer.json()["duplicates"]) == (200, rule)
        [row] = await world.rows(events)
        assert row["duplicates"] == rule
    again = await world.client.put(url, json={"duplicates": None}, headers=photographer.headers)
    assert again.status_code == 200
    noted = [
        (row["action"], row["actor_id"], row["details"]["to"]) for row in await world.rows(audit)
    ]
    assert noted == [("event.changed", photographer.id, rule) for rule in ("event", "window", None)]
    refused = await world.client.put(url, json={"duplicates": "keep"}, headers=photographer.headers)
    assert refused.status_code == 422


async def test_another_date_begins_the_lifetime_anew(world: World, admin: Person) -> None:
    event = await world.event()
    date = datetime.now(UTC).replace(microsecond=0) + timedelta(days=500)
    unzoned = date.replace(tzinfo=None).isoformat()
    first = (await change(world, admin, event, date=unzoned)).json()
    assert datetime.fromisoformat(first["date"]) == date
    assert datetime.fromisoformat(first["expires_at"]) == date + timedelta(days=90)
    later = date + timedelta(days=200)
    await world.change(events, event, expires_at=later)
    again = (await change(world, admin, event, date=f"{unzoned}Z", name="Gala")).json()
    assert datetime.fromisoformat(again["expires_at"]) == later


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": "  "}, "An event needs a name of 1 to 200 characters."),
        ({"photographer_id": 999}, "There is no photographer with the id 999."),
        (
            {"date": "2190-01-01T00:00:00Z"},
            "An event ends within 5 years: choose an earlier date.",
        ),
        ({"event_code": " taken1"}, "The event code taken1 is already in use."),
        ({"event_code": "TAKENL"}, "The event code TAKENL is already in use."),
    ],
)
async def test_what_an_event_cannot_have_is_refused(
    world: World, admin: Person, values: dict[str, object], sentence: str
) -> None:
    await world.event(code="TAKEN1")
    event = await world.event()
    answer = await change(world, admin, event, **values)
    assert (answer.status_code, answer.json()["detail"]) == (400, sentence)
    assert await world.sent() == []


async def test_an_event_that_is_not_there_is_neither_changed_nor_deleted(
    world: World, admin: Person
) -> None:
    assert (await change(world, admin, 77, name="Gala")).status_code == 404
    assert (await delete(world, admin, "/api/admin/events/77")).status_code == 404


async def test_a_deleted_event_takes_all_that_hangs_on_it_and_nothing_else(
    world: World, admin: Person
) -> None:
    gone, kept = await world.event(), await world.event()
    guest = await world.person(joined=gone)
    await world.join(guest, kept)
    selfie = await world.selfie(guest)
    for event in (gone, kept):
        photo = await world.photo(event)
        await world.face(photo, event)
        await world.match(guest, event, [photo], selfie)
        await world.index(selfie, event, guest, status="done")
    answer = await delete(world, admin, f"/api/admin/events/{gone}")
    assert answer.json() == {"message": "Event deleted."}
    for table in (photos, faces, matches, memberships):
        assert [row["event_id"] for row in await world.rows(table)] == [kept], table.name
    assert [row["id"] for row in await world.rows(events)] == [kept]
    assert {row["id"] for row in await world.rows(users)} == {guest.id, admin.id}
    assert len(await world.rows(selfies)) == 1


async def test_an_events_objects_go_at_once_and_are_looked_for_again_later(
    world: World, admin: Person
) -> None:
    event = await world.event()
    await delete(world, admin, f"/api/admin/events/{event}")
    first, again = sorted(await world.rows(outbox), key=lambda row: row["next_attempt_at"])
    wait = (again["next_attempt_at"] - first["next_attempt_at"]).total_seconds()
    assert wait == pytest.approx(DELETE_AGAIN_SECONDS, abs=1)
    assert [topic for topic, _ in await world.sent()] == [EventDeleted.topic] * 2


async def test_a_guest_deletes_their_account_with_everything(world: World) -> None:
    event, other = await world.event(), await world.event()
    guest = await world.person(joined=event)
    await world.join(guest, other)
    selfie = await world.selfie(guest)
    photo = await world.photo(event)
    await world.match(guest, event, [photo], selfie)
    await world.index(selfie, event, guest, status="done")
    answer = await delete(world, guest, "/api/me")
    assert answer.json()["account_id"] == guest.id
    assert "access_token=" in answer.headers["set-cookie"]
    for table in (users, selfies, matches, memberships):
        assert await world.rows(table) == [], table.name
    assert len(await world.rows(photos)) == 1
    told = {(topic, body["event_id"]) for topic, body in await world.sent()}
    assert told == {
        (SelfieDeleted.topic, event),
        (SelfieDeleted.topic, other),
        (AccountDeleted.topic, event),
        (AccountDeleted.topic, other),
        (AccountDeleted.topic, AccountDeleted.no_event_id),
    }
    assert (await world.client.get("/api/me", headers=guest.headers)).status_code == 401


async def test_an_admin_deletes_a_guest(world: World, admin: Person) -> None:
    guest = await world.person()
    answer = await delete(world, admin, f"/api/admin/users/{guest.id}")
    assert answer.json() == {"message": "Account deleted."}
    assert [row["id"] for row in await world.rows(users)] == [admin.id]
    assert (await delete(world, admin, f"/api/admin/users/{guest.id}")).status_code == 404


async def test_a_photographer_with_events_hands_them_over_first(
    world: World, admin: Person
) -> None:
    old, new = await world.photographer(), await world.photographer()
    event = await world.event(old)
    photo = await world.photo(event, photographer=old)
    for person, path in ((old, "/api/me"), (admin, f"/api/admin/users/{old.id}")):
        refused = await delete(world, person, path)
        assert refused.status_code == 409
        assert refused.json()["detail"].startswith("This account runs an event.")
    await change(world, admin, event, photographer_id=new.id)
    assert (await delete(world, old, "/api/me")).status_code == 200
    (kept,) = await world.rows(photos)
    assert (kept["id"], kept["photographer_id"]) == (photo, None)


async def test_the_last_admin_stays(world: World, admin: Person) -> None:
    await world.person(Role.ADMIN, is_active=False)
    refused = await delete(world, admin, "/api/me")
    assert refused.status_code == 409
    assert refused.json()["detail"] == "This is the last admin. Create another one first."


async def test_of_two_admins_who_delete_themselves_at_once_one_stays(
    world: World, admin: Person
) -> None:
    other = await world.admin()
    answers = await asyncio.gather(*(delete(world, person, "/api/me") for person in (admin, other)))
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_streams_of_a_deleted_event_end_and_so_do_those_of_a_deleted_account(
    world: World,
) -> None:
    event, other = await world.event(), await world.event()
    guest = await world.person(joined=event)
    leaving = await world.person(joined=event)
    await world.join(leaving, other)
    async with (
        serving(world.app) as url,
        httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client,
        open_stream(client, event, guest.headers) as stays,
        open_stream(client, event, leaving.headers) as leaves,
        open_stream(client, other, leaving.headers) as elsewhere,
    ):
        await world.publish(AccountDeleted(event_id=event, user_id=leaving.id))
        await eventually(lambda: leaves.has_ended and elsewhere.has_ended)
        assert not stays.has_ended
        await world.publish(EventDeleted(event_id=event))
        await eventually(lambda: stays.has_ended)
        assert stays.events == [("event.deleted", {})]


async def test_a_guests_main_event_is_the_next_one_once_the_first_is_deleted(
    world: World, admin: Person
) -> None:
    first, second = await world.event(), await world.event()
    guest = await world.person(joined=first)
    await world.join(guest, second)

    async def main_event() -> object:
        answer = await world.client.get("/api/user/event-expiration", headers=guest.headers)
        await world.client.get("/api/my-photos", headers=guest.headers)
        return answer.json().get("event_id")

    assert await main_event() == first
    await delete(world, admin, f"/api/admin/events/{first}")
    await world.publish(EventDeleted(event_id=first))

    async def is_the_second() -> bool:
        return await main_event() == second

    await eventually(is_the_second)
    listed = await world.client.get("/api/my-photos", headers=guest.headers)
    assert listed.status_code == 200

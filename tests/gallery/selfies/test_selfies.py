import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.common.database.tables import matches, memberships, selfie_indexes, selfies
from libs.common.web.auth import Role
from tests.gallery.world import World
from tests.support.people import Person


async def status(world: World, person: Person) -> dict[str, Any]:
    answer = await world.client.get("/api/rematch-status", headers=person.headers)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("body", ["  ab12 ", {"event_code": "aB1 2"}], ids=["string", "object"])
async def test_a_guest_joins_a_further_event_by_its_code(world: World, body: object) -> None:
    event_id = await world.event(code="AB12")
    guest = await world.person(joined=await world.event())
    answer = await world.client.post("/api/join-event", json=body, headers=guest.headers)
    assert (answer.status_code, answer.json()) == (200, {"message": "You have joined Event AB12."})
    assert {row["event_id"] for row in await world.rows(memberships)} >= {event_id}
    assert await world.sent() == []
    again = await world.client.post("/api/join-event", json=body, headers=guest.headers)
    assert again.status_code == 400
    unknown = await world.client.post("/api/join-event", json="nope", headers=guest.headers)
    assert unknown.status_code == 404


async def test_the_selfies_a_guest_has_are_matched_in_the_event_they_join(world: World) -> None:
    event_id = await world.event(code="AB12")
    guest = await world.person()
    older = await world.selfie(guest)
    newest = await world.selfie(guest)
    await world.client.post("/api/join-event", json="AB12", headers=guest.headers)
    assert [(topic, body["event_id"], body["selfie_id"]) for topic, body in await world.sent()] == [
        ("selfie.uploaded", event_id, newest),
        ("selfie.uploaded", event_id, older),
    ]
    assert (await status(world, guest))["status"] == "running"


async def test_joining_twice_at_once_joins_once(world: World) -> None:
    await world.event(code="AB12")
    guest = await world.person()
    await world.selfie(guest)
    answers = await asyncio.gather(
        *(
            world.client.post("/api/join-event", json="AB12", headers=guest.headers)
            for _ in range(4)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    assert len(await world.sent()) == 1


async def test_deleting_a_selfie_deletes_what_came_of_it_and_tells_every_event(
    world: World,
) -> None:
    first, second = await world.event(), await world.event()
    guest, other = await world.person(joined=first), await world.person(joined=first)
    await world.join(guest.id, second)
    photo_id = await world.photo(first)
    ids = {}
    for person in (guest, other):
        ids[person.id] = await world.selfie(person)
        await world.index(ids[person.id], first, person, status="done")
        await world.match(person, first, [photo_id], ids[person.id])
    answer = await world.client.delete("/api/my-selfie", headers=guest.headers)
    assert (answer.status_code, set(answer.json())) == (200, {"message"})
    for table in (selfies, selfie_indexes, matches):
        assert [row["user_id"] for row in await world.rows(table)] == [other.id]
    sent = await world.sent()
    assert {(topic, body["event_id"]) for topic, body in sent} == {
        ("selfie.deleted", first),
        ("selfie.deleted", second),
    }
    assert {(body["user_id"], body["selfie_id"]) for _, body in sent} == {(guest.id, ids[guest.id])}
    assert all(body["object_key"].startswith(f"users/{guest.id}/selfies/") for _, body in sent)
    again = await world.client.delete("/api/my-selfie", headers=guest.headers)
    assert again.status_code == 404
    assert await world.sent() == []


async def test_a_selfie_without_any_event_still_has_its_object_removed(world: World) -> None:
    admin = await world.person(Role.ADMIN)
    await world.selfie(admin)
    answer = await world.client.delete("/api/my-selfie", headers=admin.headers)
    assert answer.status_code == 200
    ((topic, body),) = await world.sent()
    assert (topic, body["event_id"]) == ("selfie.deleted", 0)


async def test_the_selfies_date_is_told(world: World) -> None:
    guest = await world.person()
    answer = await world.client.get("/api/my-selfie", headers=guest.headers)
    assert answer.status_code == 404
    await world.selfie(guest)
    answer = await world.client.get("/api/my-selfie", headers=guest.headers)
    assert set(answer.json()) == {"user_id", "created_at"}
    assert answer.json()["user_id"] == guest.id


async def test_the_status_goes_from_idle_over_running_to_done(world: World) -> None:
    event_id, elsewhere = await world.event(), await world.event()
    guest = await world.person(joined=event_id)
    await world.join(guest.id, elsewhere)
    assert await status(world, guest) == {"status": "idle"}
    selfie_id = await world.selfie(guest)
    running = await status(world, guest)
    assert (running["status"], running["matched"]) == ("running", 0)
    assert abs(running["started_at"] - datetime.now(UTC).timestamp()) < 60
    finished = datetime.now(UTC)
    await world.index(selfie_id, event_id, guest, status="done", matched=3, finished_at=finished)
    assert (await status(world, guest))["status"] == "running"
    await world.index(selfie_id, elsewhere, guest, status="done", matched=4, finished_at=finished)
    assert await status(world, guest) == {
        "status": "done",
        "finished_at": finished.timestamp(),
        "matched": 7,
    }


async def test_a_failed_match_says_why(world: World) -> None:
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    selfie_id = await world.selfie(guest)
    finished = datetime.now(UTC)
    await world.index(
        selfie_id, event_id, guest, status="failed", error="no face", finished_at=finished
    )
    assert await status(world, guest) == {
        "status": "failed",
        "finished_at": finished.timestamp(),
        "error": "no face",
    }


async def test_the_selfies_of_a_guest_are_listed_with_where_they_can_be_seen(world: World) -> None:
    guest = await world.person()
    answer = await world.client.get("/api/my-selfies", headers=guest.headers)
    assert (answer.status_code, answer.json()) == (200, [])
    older, newest = await world.selfie(guest), await world.selfie(guest)
    await world.selfie(await world.person())
    answer = await world.client.get("/api/my-selfies", headers=guest.headers)
    assert [(selfie["id"], selfie["url"]) for selfie in answer.json()] == [
        (selfie_id, f"/api/selfie/{guest.id}?selfie_id={selfie_id}")
        for selfie_id in (newest, older)
    ]
    assert set(answer.json()[0]) == {"id", "created_at", "url"}


async def test_deleting_one_selfie_leaves_the_others_and_what_they_found(world: World) -> None:
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    found_by: dict[int, int] = {}
    for _ in range(2):
        selfie_id = await world.selfie(guest)
        await world.index(selfie_id, event_id, guest, status="done")
        found_by[selfie_id] = await world.photo(event_id)
        await world.match(guest, event_id, [found_by[selfie_id]], selfie_id)
    gone, kept = found_by
    others = await world.selfie(await world.person())
    answer = await world.client.delete(f"/api/my-selfies/{gone}", headers=guest.headers)
    assert (answer.status_code, set(answer.json())) == (200, {"message"})
    assert [row["id"] for row in await world.rows(selfies)] == [kept, others]
    for table in (selfie_indexes, matches):
        assert [row["selfie_id"] for row in await world.rows(table)] == [kept]
    listed = await world.client.get("/api/my-photos", headers=guest.headers)
    assert [photo["id"] for photo in listed.json()] == [found_by[kept]]
    assert [(topic, body["selfie_id"]) for topic, body in await world.sent()] == [
        ("selfie.deleted", gone)
    ]
    for selfie_id in (gone, others, others + 100):
        again = await world.client.delete(f"/api/my-selfies/{selfie_id}", headers=guest.headers)
        assert (again.status_code, again.json()) == (404, {"detail": "Selfie not found"})
    assert await world.sent() == []

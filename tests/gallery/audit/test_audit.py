import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from libs.common import tasks
from libs.common.database.audit import Action, coarse, record
from libs.common.database.tables import audit, users
from libs.common.web.auth import Role
from services.gallery.audit.retention import delete_old_rows
from tests.gallery.world import World
from tests.support.people import Person
from tests.support.polling import eventually

PASSWORD = "Secret-12"
WEAK_HASH = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


async def told(world: World, admin: Person, query: str = "") -> list[dict[str, Any]]:
    answer = await world.client.get(f"/api/admin/audit?{query}", headers=admin.headers)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()
    return rows


async def log_in(world: World, name: str, password: str) -> int:
    answer = await world.client.post(
        "/api/login", json={"username": name, "password": password}, headers={"X-Request-ID": "7f"}
    )
    return answer.status_code


async def test_logins_right_and_wrong_are_recorded_and_hold_nothing_that_was_typed(
    world: World,
) -> None:
    admin = await world.admin()
    guest = await world.person(password_hash=WEAK_HASH)
    assert await log_in(world, guest.name, PASSWORD) == 200
    assert await log_in(world, guest.name, "Wrong-Secret-12") == 401
    assert await log_in(world, "typed-my-password-here", PASSWORD) == 401
    unknown, wrong, right = await told(world, admin)
    assert right["action"] == "login.succeeded"
    assert (right["actor_id"], right["account_name"]) == (guest.id, guest.name)
    assert right["address"] == "127.0.0.0/24"
    assert right["request_id"]
    assert wrong["action"] == unknown["action"] == "login.failed"
    assert (wrong["actor_id"], wrong["account_id"]) == (None, guest.id)
    assert (unknown["actor_id"], unknown["account_id"]) == (None, None)
    rows = str(await world.rows(audit))
    assert "Secret" not in rows
    assert "typed" not in rows


async def test_what_is_done_is_recorded_with_who_did_it(world: World) -> None:
    admin, photographer = await world.admin(), await world.photographer()
    event_id = await world.event(photographer)
    guest = await world.person(joined=event_id)
    selfie_id = await world.selfie(guest)
    photo_id = await world.photo(event_id, photographer=photographer)
    new = {"username": "paula", "email": "paula@example.org", "password": "Correct-Horse-9"}
    done: list[tuple[Person, str, str, object, Action, dict[str, Any]]] = [
        (admin, "POST", "/api/admin/create-event", {"name": "Gala"}, Action.EVENT_CREATED, {}),
        (admin, "POST", "/api/admin/create-photographer", new, Action.ACCOUNT_CREATED, {}),
        (
            admin,
            "PUT",
            f"/api/admin/photographers/{photographer.id}",
            {"is_active": True},
            Action.ACCOUNT_UNLOCKED,
            {"account_id": photographer.id},
        ),
        (
            admin,
            "PUT",
            f"/api/admin/events/{event_id}",
            {"name": "Ball"},
            Action.EVENT_CHANGED,
            {"event_id": event_id, "details": {"changed": "name"}},
        ),
        (
            admin,
            "POST",
            "/api/admin/set-event-code",
            {"event_id": event_id, "event_code": "WALTZ7"},
            Action.EVENT_CODE_CHANGED,
            {"event_id": event_id, "details": {}},
        ),
        (
            admin,
            "POST",
            "/api/admin/rekognition/threshold",
            {"value": 90},
            Action.THRESHOLD_CHANGED,
            {"event_id": None, "details": {"threshold": 90}},
        ),
        (
            photographer,
            "PUT",
            f"/api/photographer/events/{event_id}/match-threshold",
            {"value": 80},
            Action.THRESHOLD_CHANGED,
            {"event_id": event_id, "details": {"threshold": 80}},
        ),
        (
            photographer,
            "POST",
            f"/api/admin/events/{event_id}/reset-expiration",
            None,
            Action.EVENT_PROLONGED,
            {"event_id": event_id},
        ),
        (
            admin,
            "GET",
            f"/api/admin/events/{event_id}/face-groups",
            None,
            Action.FACES_VIEWED,
            {"event_id": event_id, "account_id": None},
        ),
        (
            admin,
            "GET",
            f"/api/admin/events/{event_id}/users/{guest.id}/group-faces",
            None,
            Action.FACES_VIEWED,
            {"event_id": event_id, "account_id": guest.id},
        ),
        (
            photographer,
            "POST",
            f"/api/photographer/events/{event_id}/photos/{photo_id}/guests",
            {"user_id": guest.id},
            Action.GUEST_ADDED,
            {"account_id": guest.id, "object_id": photo_id},
        ),
        (
            guest,
            "POST",
            f"/api/events/{event_id}/downloads",
            {"photo_ids": [photo_id]},
            Action.PHOTOS_DOWNLOADED,
            {"event_id": event_id, "details": {"photos": 1, "which": "selected"}},
        ),
        (
            photographer,
            "DELETE",
            f"/api/photos/{photo_id}",
            None,
            Action.PHOTO_DELETED,
            {"event_id": event_id, "details": {"photos": 1, "ids": [photo_id]}},
        ),
        (
            guest,
            "DELETE",
            f"/api/my-selfies/{selfie_id}",
            None,
            Action.SELFIE_DELETED,
            {"account_id": guest.id, "object_id": selfie_id},
        ),
        (
            admin,
            "DELETE",
            f"/api/admin/users/{guest.id}",
            None,
            Action.ACCOUNT_DELETED,
            {"account_id": guest.id, "account_name": None, "details": {"role": "user"}},
        ),
        (
            admin,
            "DELETE",
            f"/api/admin/events/{event_id}",
            None,
            Action.EVENT_DELETED,
            {"event_id": event_id, "event_name": None},
        ),
    ]
    for who, method, path, body, action, expected in done:
        answer = await world.client.request(method, path, json=body, headers=who.headers)
        assert answer.status_code == 200, f"{method} {path}: {answer.text}"
        newest = (await told(world, admin))[0]
        assert newest["action"] == action, f"{method} {path}"
        assert newest["actor_id"] == who.id
        assert newest | expected == newest, f"{method} {path}"


async def test_what_fails_is_not_recorded_as_done(world: World) -> None:
    admin = await world.admin()
    photographer = await world.photographer()
    await world.event(photographer)
    answer = await world.client.delete(
        f"/api/admin/photographers/{photographer.id}", headers=admin.headers
    )
    assert answer.status_code == 409
    assert await told(world, admin) == []


async def test_it_is_read_page_by_page_and_filtered(world: World) -> None:
    admin, other = await world.admin(), await world.person()
    async with world.database.unit_of_work() as unit:
        for number in range(5):
            await record(unit.connection, Action.LOGOUT, actor_id=other.id, object_id=number + 1)
        await record(unit.connection, Action.EVENT_DELETED, actor_id=admin.id, event_id=9)
    path: str | None = f"/api/admin/audit?actor_id={other.id}&limit=2"
    pages = []
    while path is not None:
        answer = await world.client.get(path, headers=admin.headers)
        pages.append([row["object_id"] for row in answer.json()])
        link = answer.links.get("next")
        path = link["url"] if link else None
    assert pages == [[5, 4], [3, 2], [1]]
    for query in ("action=event.deleted", "event_id=9", f"actor_id={admin.id}"):
        assert [row["action"] for row in await told(world, admin, query)] == ["event.deleted"]
    assert await told(world, admin, "account_id=1") == []
    assert await told(world, admin, "until=2020-01-01T00:00:00") == []
    assert len(await told(world, admin, "since=2020-01-01T00:00:00Z")) == 6
    answer = await world.client.get("/api/admin/audit?action=nothing", headers=admin.headers)
    assert answer.status_code == 422


async def test_its_pages_keep_their_filter(world: World) -> None:
    admin = await world.admin()
    async with world.database.unit_of_work() as unit:
        for action in (Action.LOGOUT, Action.EVENT_CREATED, Action.LOGOUT):
            await record(unit.connection, action, actor_id=None)
    path = "/api/admin/audit?action=logout&since=2020-01-01T00:00:00%2B02:00&limit=1"
    first = await world.client.get(path, headers=admin.headers)
    second = await world.client.get(first.links["next"]["url"], headers=admin.headers)
    assert [row["action"] for row in first.json() + second.json()] == ["logout", "logout"]
    assert "next" not in second.links


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit SET actor_id = NULL", "DELETE FROM audit", "TRUNCATE audit"],
)
async def test_nobody_changes_or_removes_a_row(world: World, statement: str) -> None:
    async with world.database.unit_of_work() as unit:
        await record(unit.connection, Action.LOGOUT, actor_id=1)
    with pytest.raises(IntegrityError, match="kept as they are"):
        async with world.database.unit_of_work() as unit:
            await unit.connection.execute(text(statement))
    assert len(await world.rows(audit)) == 1


async def test_rows_older_than_is_to_be_kept_are_deleted_and_younger_ones_are_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gallery.audit.retention.DELETED_AT_ONCE", 2)
    now = datetime.now(UTC)
    for days in (1, 99, 101, 102, 103, 104, 105):
        row = {"action": "logout", "object_id": days, "at": now - timedelta(days=days)}
        await world.execute(insert(audit).values(row))
    deleting = asyncio.create_task(
        delete_old_rows(world.services_database, age=timedelta(days=100))
    )

    async def old_ones_are_gone() -> bool:
        return sorted(row["object_id"] for row in await world.rows(audit)) == [1, 99]

    try:
        await eventually(old_ones_are_gone)
    finally:
        await tasks.end(deleting)


async def test_it_survives_an_account_without_its_name(world: World) -> None:
    admin, guest = await world.admin(), await world.person(password_hash=WEAK_HASH)
    assert await log_in(world, guest.name, PASSWORD) == 200
    await world.delete(users, guest.id)
    (row,) = await told(world, admin)
    assert (row["actor_id"], row["actor_name"]) == (guest.id, None)


@pytest.mark.parametrize("role", [Role.PARTICIPANT, Role.PHOTOGRAPHER])
async def test_only_admins_read_it(world: World, role: Role) -> None:
    person = await world.person(role)
    answer = await world.client.get("/api/admin/audit", headers=person.headers)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("a socket", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_is_kept_as_its_network(address: str | None, kept: str | None) -> None:
    assert coarse(address) == kept

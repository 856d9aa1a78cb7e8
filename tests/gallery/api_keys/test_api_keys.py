"""API keys: made and revoked here, used at ingest (tests/ingest/test_api_keys.py)."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.common.accounts.api_keys import ApiKey
from libs.common.database.tables import api_keys, audit
from libs.common.web.auth import Role
from services.gallery.api_keys import changes
from tests.gallery.world import World
from tests.support.people import Person


async def create(world: World, person: Person, status: int = 200, **asked: Any) -> dict[str, Any]:
    answer = await world.client.post(
        "/api/api-keys", json={"name": "Camera 2"} | asked, headers=person.headers
    )
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(world: World, person: Person, query: str = "") -> list[dict[str, Any]]:
    answer = await world.client.get(f"/api/api-keys{query}", headers=person.headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def test_a_key_is_shown_once_and_only_its_digest_is_kept(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    made = await create(world, photographer, name=" Camera 2 ", event_id=event_id)
    key = ApiKey.parse(made.pop("key"))
    assert key is not None
    assert made | {"created_at": ""} == {
        "id": str(key.id),
        "name": "Camera 2",
        "photographer_id": photographer.id,
        "event_id": event_id,
        "created_at": "",
        "expires_at": None,
        "last_used_at": None,
    }
    assert await listed(world, photographer) == [made]
    (row,) = await world.rows(api_keys)
    assert row["digest"] == key.digest
    assert key.secret not in str(row)


async def test_nobody_makes_sees_or_revokes_anothers_keys(world: World) -> None:
    photographer, other = await world.photographer(), await world.photographer()
    theirs = await create(world, other)
    event_id = await world.event(other)
    await create(world, photographer, 404, event_id=event_id)
    await create(world, photographer, 404, event_id=event_id + 1000)
    await create(world, photographer, 404, photographer_id=other.id)
    assert await listed(world, photographer, f"?photographer_id={other.id}") == []
    for missing in (theirs["id"], str(uuid.uuid4())):
        answer = await world.client.delete(f"/api/api-keys/{missing}", headers=photographer.headers)
        assert answer.status_code == 404
    assert len(await world.rows(api_keys)) == 1


async def test_an_admin_makes_them_for_photographers_and_revokes_anybodys(world: World) -> None:
    admin, photographer, guest = (
        await world.admin(),
        await world.photographer(),
        await world.person(),
    )
    event_id = await world.event(photographer)
    await create(world, admin, 400)
    await create(world, admin, 404, photographer_id=guest.id)
    made = await create(world, admin, photographer_id=photographer.id, event_id=event_id)
    assert [key["id"] for key in await listed(world, admin)] == [made["id"]]
    assert await listed(world, admin, f"?photographer_id={guest.id}") == []
    answer = await world.client.delete(f"/api/api-keys/{made['id']}", headers=admin.headers)
    assert answer.status_code == 200
    assert await listed(world, photographer) == []
    assert [name for name, _ in await world.sent()] == ["account.changed"]
    told = [(row["action"], row["actor_id"], row["account_id"]) for row in await world.rows(audit)]
    assert told == [
        ("api_key.created", admin.id, photographer.id),
        ("api_key.revoked", admin.id, photographer.id),
    ]


async def test_an_end_in_the_past_a_name_of_nothing_and_too_many_keys_are_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "MAX_KEYS", 2)
    photographer = await world.photographer()
    now = datetime.now(UTC)
    await create(world, photographer, 400, expires_at=(now - timedelta(seconds=1)).isoformat())
    await create(world, photographer, 422, expires_at="2099-01-01T00:00:00")
    await create(world, photographer, 422, name="  ")
    await create(world, photographer, expires_at=(now + timedelta(days=1)).isoformat())
    await create(world, photographer)
    answer = await create(world, photographer, 409)
    assert "Revoke one" in answer["detail"]


async def test_a_key_is_no_login(world: World) -> None:
    photographer = await world.photographer()
    key = (await create(world, photographer))["key"]
    for path in ("/api/me", "/api/api-keys", "/api/photographer/events", "/api/sessions"):
        answer = await world.client.get(path, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 403
        assert "uploads and watchers" in answer.json()["detail"]
        answer = await world.client.get(path, headers={"X-API-Key": key})
        assert answer.status_code == 401


async def test_a_key_goes_with_its_event_and_with_its_photographer(world: World) -> None:
    photographer, admin = await world.photographer(), await world.admin()
    event_id = await world.event(photographer)
    await create(world, photographer, event_id=event_id)
    whole = await create(world, photographer)
    answer = await world.client.delete(f"/api/admin/events/{event_id}", headers=admin.headers)
    assert answer.status_code == 200
    assert [key["id"] for key in await listed(world, photographer)] == [whole["id"]]
    answer = await world.client.delete(
        f"/api/admin/photographers/{photographer.id}", headers=admin.headers
    )
    assert answer.status_code == 200
    assert await world.rows(api_keys) == []


async def test_guests_have_none(world: World) -> None:
    await create(world, await world.person(Role.PARTICIPANT), 403)

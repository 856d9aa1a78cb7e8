"""An event's QR code, its time, and the accounts of photographers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.common.database.tables import events, users
from services.gallery.events.routes import qr_png
from tests.gallery.world import World
from tests.support.people import Person

PASSWORD = "Quiet-Lake-12"


async def test_an_events_code_is_a_picture_that_opens_its_invitation(world: World) -> None:
    admin = await world.admin()
    await world.event(code="AB/12 c")
    # What the request says of its host is nothing to print on a hundred tables.
    odd = admin.headers | {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    answer = await world.client.get("/api/admin/event-qr/ab%2F12C", headers=odd)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content == qr_png("http://localhost:8003/e/AB%2F12%20c")


async def test_a_code_that_opens_nothing_has_no_picture(world: World) -> None:
    admin = await world.admin()
    await world.event(code="OVER", expires_at=datetime.now(UTC) - timedelta(days=1))
    for code, status in (("OVER", 410), ("NOPE", 404)):
        answer = await world.client.get(f"/api/admin/event-qr/{code}", headers=admin.headers)
        assert answer.status_code == status


async def reset(world: World, event_id: int, person: Person) -> Any:
    path = f"/api/admin/events/{event_id}/reset-expiration"
    return await world.client.post(path, headers=person.headers)


async def test_an_events_time_begins_anew_for_its_photographer_and_admins(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    for _ in range(2):
        await world.photo(event_id)
    for person in (photographer, await world.admin()):
        answer = await reset(world, event_id, person)
        assert answer.status_code == 200
        expires_at = datetime.fromisoformat(answer.json()["new_expiration"])
        assert answer.json() == {
            "message": "The event's lifetime begins anew.",
            "event_id": event_id,
            "new_expiration": expires_at.isoformat(),
            "photos_updated": 2,
        }
        assert timedelta(days=89) < expires_at - datetime.now(UTC) < timedelta(days=91)
        assert [row["expires_at"] for row in await world.rows(events)] == [expires_at]
        assert [topic for topic, _ in await world.sent()] == ["event.changed"]
    assert (await reset(world, event_id, await world.photographer())).status_code == 404
    assert (await reset(world, event_id + 100, photographer)).status_code == 404
    assert await world.sent() == []


async def test_an_events_time_is_counted_by_the_clock_that_all_services_share(
    world: World,
) -> None:
    admin = await world.admin()
    answer = await world.client.post(
        "/api/admin/create-event", json={"name": "Party"}, headers=admin.headers
    )
    assert answer.is_success, answer.text
    [row] = await world.rows(events)
    # One transaction, one moment of the database's: to the microsecond.
    assert row["expires_at"] - row["created_at"] == timedelta(days=90)


async def test_an_event_that_was_over_is_matched_again(world: World) -> None:
    event_id = await world.event(expires_at=datetime.now(UTC) - timedelta(days=1))
    assert (await reset(world, event_id, await world.admin())).status_code == 200
    assert [topic for topic, _ in await world.sent()] == ["event.changed", "rematch.requested"]


async def change(world: World, admin: Person, user_id: int, body: dict[str, object]) -> Any:
    path = f"/api/admin/photographers/{user_id}"
    return await world.client.put(path, json=body, headers=admin.headers)


async def logs_in(world: World, name: str, password: str) -> bool:
    body = {"username": name, "password": password}
    return (await world.client.post("/api/login", json=body)).status_code == 200


async def test_a_photographers_account_is_changed_as_far_as_it_is_named(world: World) -> None:
    admin, photographer = await world.admin(), await world.photographer()
    body: dict[str, object] = {"username": " ann ", "email": "", "password": PASSWORD}
    answer = await change(world, admin, photographer.id, body)
    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["message"], changed["username"]) == ("Photographer updated.", "ann")
    assert changed["email"] == f"{photographer.name}@example.org"
    assert not [key for key in changed if "password" in key]
    assert await logs_in(world, "ann", PASSWORD)
    await change(world, admin, photographer.id, {"is_active": False})
    assert not await logs_in(world, "ann", PASSWORD)
    await change(world, admin, photographer.id, {"is_active": True, "username": "ann"})
    assert await logs_in(world, "ann", PASSWORD)


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({"username": "taken", "email": "taken@example.org"}, 2),
        ({"username": "   ", "email": "nowhere", "password": "weak"}, 3),
        ({"email": "TAKEN@example.org"}, 1),
    ],
)
async def test_changes_obey_the_rules_for_accounts(
    world: World, body: dict[str, object], problems: int
) -> None:
    admin, photographer = await world.admin(), await world.photographer()
    await world.person(username="taken", email="taken@example.org")
    answer = await change(world, admin, photographer.id, body)
    assert answer.status_code == 400
    assert len(answer.json()["detail"].split("; ")) == problems


async def test_a_photographer_without_events_is_deleted(world: World) -> None:
    admin, photographer = await world.admin(), await world.photographer()
    event_id = await world.event(photographer)
    path = f"/api/admin/photographers/{photographer.id}"
    answer = await world.client.delete(path, headers=admin.headers)
    assert answer.status_code == 409
    await world.delete(events, event_id)
    answer = await world.client.delete(path, headers=admin.headers)
    assert (answer.status_code, answer.json()) == (200, {"message": "Photographer deleted."})
    assert [row["id"] for row in await world.rows(users)] == [admin.id]


async def test_only_photographers_are_found_there(world: World) -> None:
    admin, guest = await world.admin(), await world.person()
    for user_id in (guest.id, admin.id, admin.id + 100):
        path = f"/api/admin/photographers/{user_id}"
        for answer in (
            await world.client.delete(path, headers=admin.headers),
            await world.client.put(path, json={"username": "x"}, headers=admin.headers),
        ):
            assert (answer.status_code, answer.json()) == (
                404,
                {"detail": "Photographer not found"},
            )
    assert len(await world.rows(users)) == 2


async def test_an_events_name_hides_nothing_and_may_have_emoji(world: World) -> None:
    admin = await world.admin()
    event_id = await world.event()

    async def created(name: str) -> int:
        answer = await world.client.post(
            "/api/admin/create-event", json={"name": name}, headers=admin.headers
        )
        return answer.status_code

    async def renamed(name: str) -> int:
        answer = await world.client.put(
            f"/api/admin/events/{event_id}", json={"name": name}, headers=admin.headers
        )
        return answer.status_code

    for name in ("Gala\u202egpj", "\u3164", "Ga\u200bla", "Gala\x07", "\u2800"):
        assert (await created(name), await renamed(name)) == (400, 400), ascii(name)
    for name in ("👩\u200d👩\u200d👧 Familie", "Fête de Zoé\u00a0!"):
        assert (await created(name), await renamed(name)) == (200, 200), ascii(name)

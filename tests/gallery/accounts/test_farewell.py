"""An account is deleted by who is there: logged in lately, or with the password."""

from datetime import UTC, datetime, timedelta

import httpx
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import update

from libs.common.database.tables import audit, sessions, users
from libs.common.limits.budgets import WRONG_PASSWORDS
from tests.gallery.world import World
from tests.support.people import Person

PASSWORD = "Quiet-Lake-12"
WEAK_HASH = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


async def leave(world: World, person: Person, body: object = None) -> httpx.Response:
    return await world.client.request("DELETE", "/api/me", json=body, headers=person.headers)


async def logged_in_long_ago(world: World, person: Person) -> None:
    began = datetime.now(UTC) - timedelta(minutes=16)
    await world.execute(
        update(sessions).where(sessions.c.user_id == person.id).values(created_at=began)
    )


async def test_who_has_just_logged_in_gets_a_receipt(world: World) -> None:
    guest = await world.person(password_hash=WEAK_HASH)
    answer = await leave(world, guest)
    assert answer.status_code == 200, answer.text
    receipt = answer.json()
    assert receipt["account_id"] == guest.id
    gone_at = datetime.fromisoformat(receipt["deleted_at"])
    assert datetime.now(UTC) - gone_at < timedelta(minutes=1)
    assert receipt["request_id"] == answer.headers["x-request-id"]
    (row,) = await world.rows(audit)
    assert (row["action"], row["request_id"]) == ("account.deleted", receipt["request_id"])
    assert await world.rows(users) == []


async def test_who_logged_in_long_ago_is_asked_for_the_password(world: World) -> None:
    guest = await world.person(password_hash=WEAK_HASH)
    await logged_in_long_ago(world, guest)
    for body in (None, {}, {"password": None}, {"password": "Wrong-Lake-12"}):
        answer = await leave(world, guest, body)
        assert answer.status_code == 403
        assert "password" in answer.json()["detail"]
    assert len(await world.rows(users)) == 1
    assert (await leave(world, guest, {"password": PASSWORD})).status_code == 200
    assert await world.rows(users) == []


async def test_another_address_asks_for_the_same(world: World) -> None:
    """Whoever has the address can have a new password."""
    guest = await world.person(password_hash=WEAK_HASH)
    await logged_in_long_ago(world, guest)

    async def change(**asked: str) -> int:
        answer = await world.client.put("/api/me", json=asked, headers=guest.headers)
        return answer.status_code

    assert await change(language="fr") == 200
    assert await change(email="mine@example.org") == 403
    assert await change(email="mine@example.org", password="Wrong-Lake-12") == 403
    (row,) = await world.rows(users)
    assert row["pending_email"] is None
    assert await change(email="mine@example.org", password=PASSWORD) == 200
    (row,) = await world.rows(users)
    assert row["pending_email"] == "mine@example.org"


async def test_a_password_that_is_sent_is_the_right_one_also_just_after_the_login(
    world: World,
) -> None:
    guest = await world.person(password_hash=WEAK_HASH)
    wrong = "Wrong-Lake-12"
    assert (await leave(world, guest, {"password": wrong})).status_code == 403
    change = {"email": "mine@example.org", "password": wrong}
    answer = await world.client.put("/api/me", json=change, headers=guest.headers)
    assert answer.status_code == 403
    (row,) = await world.rows(users)
    assert row["pending_email"] is None
    for _ in range(WRONG_PASSWORDS.amount - 2):
        assert (await leave(world, guest, {"password": wrong})).status_code == 403
    assert (await leave(world, guest, {"password": PASSWORD})).status_code == 429
    assert len(await world.rows(users)) == 1

"""One account for one look, also beside accounts that are older than that rule."""

from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common.database.migrate import MIGRATIONS, upgrade
from libs.common.database.tables import users
from services.gallery.accounts.names import is_username, tidy_username, username_key, username_looks
from services.gallery.accounts.passwords import Passwords
from tests.gallery.world import World
from tests.support.databases import Databases

PASSWORD = "Quiet-Lake-12"
HASHER = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)


def registration(code: str, **changes: str) -> dict[str, Any]:
    account = {"username": "Zoë", "email": "zoe@example.org", "password": PASSWORD}
    return {"user_data": account | changes, "event_code": code}


async def log_in(world: World, name: str, password: str = PASSWORD) -> int | None:
    """Return who that is."""
    answer = await world.client.post("/api/login", json={"username": name, "password": password})
    if answer.status_code == 401:
        return None
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    found: int = (await world.client.get("/api/me", headers=headers)).json()["id"]
    return found


async def test_one_account_for_one_look_which_logs_in_however_it_is_typed(world: World) -> None:
    await world.event(code="GOOD")
    path = "/api/register-with-event-code"
    made = await world.client.post(path, json=registration("GOOD", username=" Zoe\u0308 "))
    assert made.status_code == 200, made.text
    assert made.json()["username"] == "Zoë"
    for name in ("Zoë", "Zoe\u0308", "ZOË", "zoë", "Ｚoë"):
        again = registration("GOOD", username=name, email="other@example.org")
        answer = await world.client.post(path, json=again)
        assert answer.json() == {"detail": "This username is already taken."}, name
        taken = await world.client.post("/api/check-user-availability", json={"username": name})
        assert taken.json()["username_taken"], name
        assert await log_in(world, name) == made.json()["id"], name
    again = registration("GOOD", username="max", email="ZOE@EXAMPLE.org")
    answer = await world.client.post(path, json=again)
    assert answer.json() == {"detail": "This email address is already registered."}


async def test_names_and_weak_passwords_are_refused_with_all_that_is_wrong(world: World) -> None:
    await world.event(code="GOOD")
    weak = {"username": "zo\u200be", "email": "zo\u200be@x.org", "password": "Password1!"}
    answer = await world.client.post(
        "/api/register-with-event-code", json=registration("GOOD", **weak)
    )
    assert answer.status_code == 400
    name, email, password = answer.json()["detail"].split("; ")
    assert name.startswith("The username may have")
    assert email == "A valid email address is required."
    assert password.startswith("The password is too easy to guess.")


@pytest.mark.parametrize("unseen", ["\u3164", "\u115f", "\u1160", "\u2800", "\u034f", "\u202e"])
def test_usernames_have_nothing_that_is_not_seen(unseen: str) -> None:
    for name in (unseen, f"zo{unseen}e"):
        assert not is_username(tidy_username(name))


def test_a_form_of_an_ideograph_looks_like_the_ideograph() -> None:
    assert username_key("葛城") in username_looks("葛\U000e0100城")


async def test_accounts_that_look_alike_from_before_are_told_apart_by_their_exact_names(
    world: World,
) -> None:
    password_hash = HASHER.hash(PASSWORD)
    first = await world.person(username="Zoë", username_key="zoë", password_hash=password_hash)
    second = await world.person(username="zoë", username_key=None, password_hash=password_hash)
    third = await world.person(
        username="😀",
        username_key=None,
        email="U@x.org",
        email_key=None,
        password_hash=password_hash,
    )
    assert await log_in(world, "Zoë") == first.id
    assert await log_in(world, "zoë") == second.id
    assert await log_in(world, "ZOË") == first.id
    assert await log_in(world, "😀") == third.id
    assert await log_in(world, "u@X.org") == third.id
    asked = {"username": "😀", "email": "u@x.org"}
    taken = await world.client.post("/api/check-user-availability", json=asked)
    assert taken.json() == {"username_taken": True, "email_taken": True}


async def test_an_older_name_stays_good_until_it_is_changed(world: World) -> None:
    admin = await world.admin()
    await world.person(username="Zoë", username_key="zoë")
    older = await world.photographer()
    await world.change(users, older.id, username="zoë", username_key=None, user_type="photographer")
    path = f"/api/admin/photographers/{older.id}"
    for body in ({"is_active": False}, {"username": "zoë", "is_active": True}):
        answer = await world.client.put(path, json=body, headers=admin.headers)
        assert answer.status_code == 200, answer.text
    answer = await world.client.put(path, json={"username": "ZOË"}, headers=admin.headers)
    assert answer.json() == {"detail": "This username is already taken."}
    weak = {"username": "Paul", "password": "Password1!"}
    answer = await world.client.put(path, json=weak, headers=admin.headers)
    assert answer.json()["detail"].startswith("The password is too easy to guess.")
    answer = await world.client.put(path, json={"username": "Paul"}, headers=admin.headers)
    assert answer.status_code == 200, answer.text
    (row,) = [row for row in await world.rows(users) if row["id"] == older.id]
    assert (row["username"], row["username_key"]) == ("Paul", "paul")


async def test_passwords_are_the_same_however_a_keyboard_writes_them() -> None:
    passwords = Passwords(at_once=1, hasher=HASHER)
    hashed = await passwords.hash("Réglisse-12")
    assert (await passwords.verify("Re\u0301glisse-12", hashed)).fits
    as_it_was_typed = HASHER.hash("Re\u0301glisse-12")
    assert (await passwords.verify("Re\u0301glisse-12", as_it_was_typed)).fits
    assert not (await passwords.verify("Réglisse-13", hashed)).fits


def schema(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def test_of_accounts_that_look_alike_the_oldest_keeps_the_key(databases: Databases) -> None:
    accounts = [
        ("Zoë", "Zoe@example.org"),
        ("zoe\u0308", "x@xn--mnchen-3ya.de"),
        ("anna maria", "x@münchen.de"),
        ("😀", "nowhere"),
    ]
    async with databases.empty() as url:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(schema, "0007")
            await connection.execute(
                text(
                    "INSERT INTO users (username, email, password_hash, user_type)"
                    " VALUES (:name, :email, '', 'user')"
                ),
                [{"name": name, "email": email} for name, email in accounts],
            )
        await upgrade(url)
        async with engine.connect() as connection:
            rows = await connection.execute(
                text("SELECT username, username_key, email_key FROM users ORDER BY id")
            )
            assert [tuple(row) for row in rows] == [
                ("Zoë", "zoë", "zoe@example.org"),
                ("zoe\u0308", None, "x@münchen.de"),
                ("anna maria", "anna maria", None),
                ("😀", "😀", "nowhere"),
            ]
        await engine.dispose()


@pytest.mark.parametrize("name", ["Zoe\u0308", "O’Neil", "Ｆinn", "a\tb", "\u200b", "İpek", "😀"])
def test_the_migration_makes_the_keys_that_the_service_compares(name: str) -> None:
    from importlib import import_module

    from services.gallery.accounts.names import email_key, username_key

    (file,) = (MIGRATIONS / "versions").glob("*_names.py")
    migration = import_module(f"libs.common.database.migrations.versions.{file.stem}")
    assert migration.username_key(name) == username_key(name)
    email = f"{name}@xn--mnchen-3ya.de"
    assert migration.email_key(email) == email_key(email)

"""How passwords are hashed: by which parameters, where, and what becomes of older hashes."""

import asyncio
import os
from pathlib import Path

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from libs.common.database.tables import users
from libs.common.setting_files import WrongSettings
from libs.common.workers.serving import NICENESS
from services.gallery.accounts.passwords import Passwords
from services.gallery.settings import GallerySettings
from tests.gallery.world import World
from tests.support.settings import settings_of

PASSWORD = "Wedding-Band-12"
OLDER = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)


def test_the_defaults_are_those_that_owasp_recommends() -> None:
    settings = settings_of(GallerySettings, "postgresql://u@h/d")
    assert (
        settings.password_hash_memory_kib,
        settings.password_hash_passes,
        settings.password_hash_lanes,
    ) == (19_456, 2, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"password_hash_memory_kib": 8192, "password_hash_passes": 2},
        {"password_hash_passes": 1},
        {"password_hash_memory_kib": 64, "password_hash_lanes": 16},
    ],
)
def test_parameters_that_are_too_weak_are_refused_with_what_to_set(
    changes: dict[str, int],
) -> None:
    with pytest.raises(WrongSettings, match="PASSWORD_HASH_MEMORY_KIB"):
        settings_of(GallerySettings, "postgresql://u@h/d", **changes)


async def test_a_new_account_has_a_hash_by_the_settings_parameters(world: World) -> None:
    code = "HASHES26"
    await world.event(code=code)
    answer = await world.client.post(
        "/api/register-with-event-code",
        json={
            "user_data": {
                "username": "anna",
                "email": "anna@example.org",
                "password": PASSWORD,
            },
            "event_code": code,
        },
    )
    assert answer.status_code == 200, answer.text
    [row] = [row for row in await world.rows(users) if row["username"] == "anna"]
    assert row["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def nices_of_children() -> list[int]:
    return [
        os.getpriority(os.PRIO_PROCESS, int(child))
        for task in Path("/proc/self/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


async def test_the_service_hashes_in_processes_that_give_way(world: World) -> None:
    await world.app.state.gallery.passwords.hash(PASSWORD)
    assert os.getpriority(os.PRIO_PROCESS, 0) + NICENESS in nices_of_children()


async def hash_of(world: World, person_id: int) -> str:
    [row] = [row for row in await world.rows(users) if row["id"] == person_id]
    return str(row["password_hash"])


async def test_a_login_hashes_anew_what_has_other_parameters_and_ends_no_login(
    world: World,
) -> None:
    person = await world.person(password_hash=OLDER.hash(PASSWORD))
    wrong = {"username": person.name, "password": "Wrong-Band-12"}
    assert (await world.client.post("/api/login", json=wrong)).status_code == 401
    assert "m=8,t=1,p=1" in await hash_of(world, person.id)
    right = wrong | {"password": PASSWORD}
    assert (await world.client.post("/api/login", json=right)).status_code == 200
    renewed = await hash_of(world, person.id)
    assert "m=19456,t=2,p=1" in renewed
    assert (await world.client.get("/api/me", headers=person.headers)).status_code == 200
    assert (await world.client.post("/api/login", json=right)).status_code == 200
    assert await hash_of(world, person.id) == renewed


async def test_devices_that_log_in_at_once_all_get_in_while_the_password_is_hashed_anew(
    world: World,
) -> None:
    person = await world.person(password_hash=OLDER.hash(PASSWORD))
    asked = {"username": person.name, "password": PASSWORD}
    answers = await asyncio.gather(*(world.client.post("/api/login", json=asked) for _ in range(6)))
    assert [answer.status_code for answer in answers] == [200] * 6


async def test_hashes_of_other_parameters_go_on_to_fit() -> None:
    passwords = Passwords(at_once=1, hasher=OLDER)
    stronger = Argon2Hasher(time_cost=2, memory_cost=64, parallelism=2).hash(PASSWORD)
    verified = await passwords.verify(PASSWORD, stronger)
    assert verified.fits
    assert verified.new_hash is not None
    assert "m=8,t=1,p=1" in verified.new_hash
    assert await passwords.verify(PASSWORD, "no hash at all") == await passwords.verify("x", None)

"""What is guessed is refused after a while, and nobody can lock out anybody else with that."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from services.gallery.accounts.passwords import Passwords
from tests.gallery.world import World
from tests.support.people import Person

PASSWORD = "Quiet-Lake-12"
WEAK_HASHER = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def cheap_hashes(world: World) -> None:
    """Hashing is not what these tests are about."""
    passwords = Passwords(at_once=2, hasher=WEAK_HASHER)
    object.__setattr__(world.app.state.gallery, "passwords", passwords)


@contextlib.asynccontextmanager
async def client_at(world: World, address: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.app, client=(address, 1), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def guest(world: World) -> Person:
    return await world.person(password_hash=WEAK_HASHER.hash(PASSWORD))


async def log_in(client: httpx.AsyncClient, name: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/api/login", json={"username": name, "password": password})


def refusal(answer: httpx.Response) -> tuple[int, bool]:
    """The status, and whether it comes with a sentence and a time."""
    seconds = int(answer.headers.get("Retry-After", "0"))
    return answer.status_code, 1 <= seconds <= 86_400 and answer.json()["detail"].endswith(".")


async def test_after_ten_wrong_passwords_the_right_one_is_refused_there_and_taken_elsewhere(
    world: World,
) -> None:
    person = await guest(world)
    async with client_at(world, "192.0.2.1") as attacker, client_at(world, "192.0.2.2") as owner:
        wrong = [(await log_in(attacker, person.name, f"Wrong-{n}")).status_code for n in range(12)]
        assert wrong == [401] * 10 + [429] * 2
        assert refusal(await log_in(attacker, person.name)) == (429, True)
        # By the address, in any case: it is the account that counts.
        by_email = await log_in(attacker, f"{person.name.upper()}@example.org")
        assert by_email.status_code == 429
        assert (await log_in(owner, person.name)).status_code == 200


async def test_of_eighty_wrong_ones_at_once_ten_are_looked_at(world: World) -> None:
    person = await guest(world)
    async with client_at(world, "192.0.2.1") as attacker:
        answers = await asyncio.gather(*(log_in(attacker, person.name, "Wrong") for _ in range(80)))
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(401), statuses.count(429)) == (10, 70)


async def test_a_password_is_not_guessed_from_many_addresses_and_its_owner_still_gets_in(
    world: World,
) -> None:
    person = await guest(world)
    async with client_at(world, "198.51.100.1") as home:
        assert (await log_in(home, person.name)).status_code == 200
        for number in range(10):
            async with client_at(world, f"192.0.2.{number + 1}") as attacker:
                for _ in range(10):
                    assert (await log_in(attacker, person.name, "Wrong")).status_code == 401
        async with client_at(world, "192.0.2.99") as attacker:
            assert refusal(await log_in(attacker, person.name)) == (429, True)
        assert (await log_in(home, person.name)).status_code == 200


async def test_the_right_password_ends_the_count(world: World) -> None:
    person = await guest(world)
    for _ in range(3):
        for _ in range(9):
            assert (await log_in(world.client, person.name, "Wrong")).status_code == 401
        assert (await log_in(world.client, person.name)).status_code == 200


async def test_a_limit_does_not_tell_which_accounts_there_are(world: World) -> None:
    statuses = [(await log_in(world.client, " Nobody")).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]


async def test_ipv6_neighbours_of_one_customer_are_one_address(world: World) -> None:
    person = await guest(world)
    for number in range(10):
        async with client_at(world, f"2001:db8:1:2::{number + 1:x}") as client:
            assert (await log_in(client, person.name, "Wrong")).status_code == 401
    async with client_at(world, "2001:db8:1:2:ffff::1") as client:
        assert (await log_in(client, person.name)).status_code == 429
    async with client_at(world, "2001:db8:1:3::1") as client:
        assert (await log_in(client, person.name)).status_code == 200


async def test_one_password_is_not_tried_on_all_accounts_and_guests_who_were_there_get_in(
    world: World,
) -> None:
    known, stranger = await guest(world), await guest(world)
    async with client_at(world, "192.0.2.1") as venue:
        assert (await log_in(venue, known.name)).status_code == 200
        for start in range(0, 300, 50):
            await asyncio.gather(*(log_in(venue, f"name-{start + n}") for n in range(50)))
        assert refusal(await log_in(venue, stranger.name)) == (429, True)
        assert (await log_in(venue, known.name)).status_code == 200


CODE = "AB12CD34"


def registration(code: str) -> dict[str, object]:
    account = {"username": "anna", "email": "anna@example.org", "password": PASSWORD}
    return {"user_data": account, "event_code": code}


async def test_codes_are_not_guessed_wherever_one_is_asked_for(world: World) -> None:
    await world.event(code=CODE)
    person = await guest(world)
    async with client_at(world, "192.0.2.1") as attacker, client_at(world, "192.0.2.2") as other:

        async def check(client: httpx.AsyncClient, code: str) -> httpx.Response:
            return await client.post("/api/check-event-code", json={"event_code": code})

        for start in range(0, 100, 25):
            answers = await asyncio.gather(
                *(check(attacker, f"WRONG{start + n}") for n in range(25))
            )
            assert {answer.status_code for answer in answers} == {200}
        assert refusal(await check(attacker, CODE)) == (429, True)
        for path, body in (
            ("/api/look-up-event", {"event_code": CODE}),
            ("/api/register-with-event-code", registration(CODE)),
            ("/api/register-invite", registration(CODE)),
            ("/api/join-event", {"event_code": CODE}),
            ("/api/check-user-availability", {"username": "anna", "event_code": CODE}),
        ):
            answer = await attacker.post(path, json=body, headers=person.headers)
            assert refusal(answer) == (429, True), path
        assert (await check(other, CODE)).json() == {"valid": True}


async def test_whoever_guesses_codes_at_a_venue_does_not_shut_out_its_guests(world: World) -> None:
    await world.event(code=CODE)
    await world.event(code="OTHER678")
    check = "/api/check-event-code"
    async with client_at(world, "192.0.2.1") as venue:
        assert (await venue.post(check, json={"event_code": CODE})).json() == {"valid": True}
        for start in range(0, 100, 25):
            await asyncio.gather(
                *(venue.post(check, json={"event_code": f"W{start + n}"}) for n in range(25))
            )
        assert (await venue.post(check, json={"event_code": "OTHER678"})).status_code == 429
        answer = await venue.post("/api/register-with-event-code", json=registration(CODE))
        assert answer.status_code == 200


async def test_names_and_addresses_are_not_probed(world: World) -> None:
    person = await guest(world)
    probe = {"email": f"{person.name}@example.org"}
    for start in range(0, 200, 25):
        await asyncio.gather(
            *(world.client.post("/api/check-user-availability", json=probe) for _ in range(25))
        )
        del start
    answer = await world.client.post("/api/check-user-availability", json=probe)
    assert refusal(answer) == (429, True)


async def test_without_the_table_of_counts_a_login_still_works_and_is_still_limited(
    world: World,
) -> None:
    person = await guest(world)
    async with world.database.single_statements() as connection:
        await connection.exec_driver_sql("ALTER TABLE rate_limits RENAME TO moved")
    wrong = [(await log_in(world.client, person.name, "Wrong")).status_code for _ in range(11)]
    assert wrong == [401] * 10 + [429]
    async with client_at(world, "192.0.2.9") as elsewhere:
        assert (await log_in(elsewhere, person.name)).status_code == 200

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from libs.common.accounts.tokens import Tokens
from libs.common.database.tables import events, memberships, users
from libs.common.web.auth import Role
from libs.common.web.session_cookie import TOKEN_COOKIE
from services.gallery.accounts.passwords import Passwords
from tests.gallery.world import World
from tests.support.people import KEYS, subject_of

PASSWORD = "Quiet-Lake-12"
#: Weak on purpose: these tests are not about the time that hashing takes.
WEAK_HASH = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
SLOW = Argon2Hasher()


def registration(code: str, **changes: str) -> dict[str, Any]:
    account = {"username": "anna", "email": "Anna@example.org", "password": PASSWORD}
    return {"user_data": account | changes, "event_code": code}


async def test_a_guest_registers_with_the_code_as_they_typed_it(world: World) -> None:
    event_id = await world.event(code="AB12CD34")
    answer = await world.client.post(
        "/api/register-with-event-code", json=registration(" ab12 cd34 ", user_type="admin")
    )
    assert answer.status_code == 200
    account = answer.json()
    assert account | {"id": 0, "created_at": ""} == {
        "id": 0,
        "username": "anna",
        "email": "Anna@example.org",
        "user_type": "user",
        "is_active": True,
        "created_at": "",
        "selfie_path": None,
        "event_id": event_id,
        "event_name": "Event AB12CD34",
        "event_code": "AB12CD34",
        "event_date": None,
    }
    assert [row["user_id"] for row in await world.rows(memberships)] == [account["id"]]
    stored = (await world.rows(users))[0]["password_hash"]
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored


async def test_everything_that_is_wrong_with_a_registration_is_said_at_once(world: World) -> None:
    await world.event(code="GOOD")
    await world.client.post("/api/register-with-event-code", json=registration("GOOD"))
    answer = await world.client.post(
        "/api/register-with-event-code", json=registration("BAD", password="short")
    )
    assert answer.status_code == 400
    assert answer.json()["detail"].split("; ") == [
        "This event code is not valid.",
        "The password needs at least 8 characters, an upper-case letter, a digit, "
        "a special character.",
        "This username is already taken.",
        "This email address is already registered.",
    ]


async def test_an_invitation_with_an_unknown_code_is_not_found(world: World) -> None:
    answer = await world.client.post("/api/register-invite", json=registration("BAD"))
    assert answer.status_code == 404
    await world.event(code="GOOD")
    answer = await world.client.post("/api/register-invite", json=registration("GOOD"))
    assert answer.status_code == 200
    answer = await world.client.post("/api/register-invite", json=registration("GOOD"))
    assert answer.status_code == 400


async def test_an_expired_events_code_is_not_valid(world: World) -> None:
    await world.event(code="OLD", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    answer = await world.client.post("/api/check-event-code", json={"event_code": "OLD"})
    assert answer.json() == {"valid": False}
    answer = await world.client.post("/api/register-with-event-code", json=registration("OLD"))
    assert answer.json() == {"detail": "This event code is not valid."}


async def test_of_two_registrations_at_once_with_one_name_the_second_is_told(world: World) -> None:
    await world.event(code="GOOD")
    answers = await asyncio.gather(
        *(
            world.client.post(
                "/api/register-with-event-code",
                json=registration("GOOD", username=f"anna{number % 2}"),
            )
            for number in range(4)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    for answer in answers:
        if answer.status_code == 400:
            assert "This email address is already registered." in answer.json()["detail"]
    assert len(await world.rows(users)) == 1


async def test_a_code_is_valid_however_it_is_typed(world: World) -> None:
    await world.event(code="AB12")
    for typed, valid in [("AB12", True), (" a b12\n", True), ("AB13", False), ("", False)]:
        answer = await world.client.post("/api/check-event-code", json={"event_code": typed})
        assert answer.json() == {"valid": valid}


async def test_taken_names_are_told_the_address_in_any_case(world: World) -> None:
    person = await world.person()
    asked = {"username": person.name, "email": f"{person.name}@EXAMPLE.org", "event_code": "x"}
    answer = await world.client.post("/api/check-user-availability", json=asked)
    assert answer.json() == {"username_taken": True, "email_taken": True}
    answer = await world.client.post("/api/check-user-availability", json={"username": "nobody"})
    assert answer.json() == {"username_taken": False, "email_taken": False}


@pytest.mark.parametrize("form", ["{0}", "{0}@EXAMPLE.org"])
async def test_login_takes_the_username_or_the_address(world: World, form: str) -> None:
    person = await world.person(Role.PHOTOGRAPHER, password_hash=WEAK_HASH)
    answer = await world.client.post(
        "/api/login", json={"username": form.format(person.name), "password": PASSWORD}
    )
    assert answer.status_code == 200
    token = answer.json()["access_token"]
    assert answer.json() == {"access_token": token, "token_type": "bearer"}
    claims = Tokens(KEYS).verify(token)
    assert (claims.subject, claims.role) == (subject_of(person.id), Role.PHOTOGRAPHER)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{TOKEN_COOKIE}={token};")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Max-Age=604800" in cookie
    # The client keeps the cookie: it alone is enough from here on.
    assert (await world.client.get("/api/me")).json()["id"] == person.id


async def test_a_wrong_password_an_unknown_name_and_a_closed_account_answer_alike(
    world: World,
) -> None:
    known = await world.person(password_hash=WEAK_HASH)
    closed = await world.person(password_hash=WEAK_HASH, is_active=False)
    odd = await world.person(password_hash="not a hash")
    tries = [(known.name, "Wrong-12"), ("nobody", PASSWORD), (closed.name, PASSWORD)]
    for name, password in [*tries, (odd.name, PASSWORD)]:
        answer = await world.client.post(
            "/api/login", json={"username": name, "password": password}
        )
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json() == {"detail": "The username or the password is wrong."}
        assert "set-cookie" not in answer.headers


async def test_an_account_that_is_gone_must_log_in_again(world: World) -> None:
    person = await world.person()
    async with world.database.unit_of_work() as unit:
        await unit.connection.execute(users.delete())
    for path in ["/api/me", "/api/profile"]:
        answer = await world.client.get(path, headers=person.headers)
        assert answer.status_code == 401


async def test_the_profile_counts_general_photos_and_ones_own(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    guest = await world.person(joined=event_id)
    selfie_id = await world.selfie(guest)
    photos = [await world.photo(event_id, photographer=photographer) for _ in range(3)]
    await world.photo(event_id, show_in_general=False)
    await world.match(guest, event_id, photos[:2], selfie_id)
    answer = (await world.client.get("/api/profile", headers=guest.headers)).json()
    assert (answer["total_photos"], answer["photos_with_face"]) == (3, 2)
    assert answer["user"]["selfie_path"] == f"/api/selfie/{guest.id}"
    answer = (await world.client.get("/api/profile", headers=photographer.headers)).json()
    assert (answer["total_photos"], answer["photos_with_face"]) == (3, 0)


async def test_a_character_the_database_cannot_keep_is_refused(world: World) -> None:
    await world.event(code="GOOD")
    bodies = [
        ("/api/login", {"username": "a\x00", "password": PASSWORD}),
        ("/api/check-event-code", {"event_code": "\x00"}),
        ("/api/register-with-event-code", registration("GOOD", username="a\x00b")),
    ]
    for path, body in bodies:
        assert (await world.client.post(path, json=body)).status_code == 422
    half_a_character = b'{"event_code": "\\ud800"}'
    answer = await world.client.post(
        "/api/check-event-code",
        content=half_a_character,
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "event_code"]


async def test_a_refused_request_does_not_repeat_the_password(world: World) -> None:
    body = {"username": ["not", "a", "name"], "password": PASSWORD, "secret": PASSWORD}
    answer = await world.client.post("/api/login", json=[body])
    assert answer.status_code == 422
    assert PASSWORD not in answer.text


async def chunks(count: int) -> AsyncIterator[bytes]:
    yield b'{"username": "'
    for _ in range(count):
        yield b"a" * 100_000
    yield b'", "password": "b"}'


async def test_a_body_larger_than_any_request_is_refused_with_and_without_its_length(
    world: World,
) -> None:
    headers = {"Content-Type": "application/json"}
    whole = b"".join([chunk async for chunk in chunks(11)])
    for content in (whole, chunks(11)):
        answer = await world.client.post("/api/login", content=content, headers=headers)
        assert answer.status_code == 413
        assert "larger than" in answer.json()["detail"]
    answer = await world.client.post("/api/login", content=chunks(1), headers=headers)
    assert answer.status_code == 422


async def test_passwords_beyond_the_queue_are_asked_to_come_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gallery.accounts.passwords.MAX_WAITING", 0)
    object.__setattr__(world.app.state.gallery, "passwords", Passwords(at_once=1, hasher=SLOW))
    answers = await asyncio.gather(
        *(
            world.client.post("/api/login", json={"username": name, "password": "b"})
            for name in ("a", "b", "c")
        )
    )
    assert sorted({answer.status_code for answer in answers}) == [401, 503]
    (seconds,) = {a.headers["retry-after"] for a in answers if a.status_code == 503}
    assert int(seconds) > 0


async def test_hashing_happens_a_few_at_a_time() -> None:
    passwords = Passwords(at_once=2, hasher=Argon2Hasher(1, 8, 1))
    hashes = await asyncio.gather(*(passwords.hash(PASSWORD) for _ in range(8)))
    assert len(set(hashes)) == 8
    assert (await passwords.verify(PASSWORD, hashes[0])).fits
    assert not (await passwords.verify("Wrong-12", hashes[0])).fits


async def test_event_dates_show_in_the_account(world: World) -> None:
    event_id = await world.event()
    await world.change(events, event_id, date=datetime(2026, 6, 1, tzinfo=UTC))
    guest = await world.person(joined=event_id)
    answer = await world.client.get("/api/me", headers=guest.headers)
    assert answer.json()["event_date"] == "2026-06-01T00:00:00+00:00"

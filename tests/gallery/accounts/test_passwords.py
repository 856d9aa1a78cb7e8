"""Another password: by a link in a mail, or with the one that is there."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import text, update

from libs.common.database.tables import account_links, audit, mails, users
from libs.common.web.auth import Role
from services.gallery.accounts.passwords import Passwords
from tests.gallery.world import World
from tests.support.mailbox import sent_mails, text_of, token_in
from tests.support.people import Person

PASSWORD, OTHER = "Wedding-Band-12", "Harvest-Moon-34"
WEAK = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)
WEAK_HASH = WEAK.hash(PASSWORD)
REQUESTED = "If there is an account with this address, a mail with a link is on its way."


@pytest.fixture(autouse=True)
def cheap_passwords(world: World) -> None:
    """These tests are not about the time that hashing takes."""
    cheap = Passwords(at_once=2, hasher=WEAK)
    object.__setattr__(world.app.state.gallery, "passwords", cheap)


async def requested(world: World, email: str, **headers: str) -> httpx.Response:
    return await world.client.post(
        "/api/password-reset/request", json={"email": email}, headers=headers
    )


async def confirmed(world: World, token: str, password: str = OTHER) -> httpx.Response:
    return await world.client.post(
        "/api/password-reset/confirm", json={"token": token, "new_password": password}
    )


async def logged_in(world: World, person: Person, password: str) -> httpx.Response:
    return await world.client.post(
        "/api/login", json={"username": person.name, "password": password}
    )


def address(person: Person) -> str:
    return f"{person.name}@example.org"


async def token_for(world: World, person: Person) -> str:
    assert (await requested(world, address(person))).status_code == 200
    [(_, message)] = await sent_mails(world.database)
    return token_in(message)


async def is_in(world: World, person: Person) -> bool:
    answer = await world.client.get("/api/me", headers=person.headers)
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


async def actions(world: World) -> list[str]:
    return [row["action"] for row in await world.rows(audit)]


async def test_a_link_in_a_mail_replaces_the_password_and_ends_all_logins(world: World) -> None:
    person = await world.person(Role.PHOTOGRAPHER, password_hash=WEAK_HASH)
    answer = await requested(world, f"  {address(person).upper()} ", **{"Accept-Language": "fr"})
    assert answer.json() == {"message": REQUESTED}
    [(recipient, message)] = await sent_mails(world.database)
    assert recipient == address(person)
    assert message["Subject"] == "Choisissez un nouveau mot de passe"
    assert "https://findme.example/api/pages/password-reset#token=" in text_of(message)
    answer = await confirmed(world, token_in(message))
    assert answer.status_code == 200
    assert answer.json()["username"] == person.name
    assert (await logged_in(world, person, PASSWORD)).status_code == 401
    assert (await logged_in(world, person, OTHER)).status_code == 200
    world.client.cookies.clear()
    assert not await is_in(world, person)
    # Their owner is told, without a link that somebody else could want.
    [(recipient, notice)] = await sent_mails(world.database)
    assert (recipient, notice["Subject"]) == (address(person), "Your password was changed")
    assert "token" not in text_of(notice)
    assert {"password.reset_requested", "password.reset"} <= set(await actions(world))


async def test_an_unknown_address_is_answered_alike_and_leaves_the_same_behind(
    world: World,
) -> None:
    person = await world.person()
    left = []
    for email in (address(person), "nobody@example.org"):
        answer = await requested(world, email)
        assert (answer.status_code, answer.json()) == (200, {"message": REQUESTED})
        [mail] = await world.rows(mails)
        entry = (await world.rows(audit))[-1]
        left.append(
            (
                mail["user_id"],
                mail["template"],
                mail["content"].keys(),
                entry["account_id"],
                entry["action"],
            )
        )
        await world.execute(mails.delete())
    assert left[0] == left[1]
    assert await world.rows(account_links) == []


async def test_what_is_no_address_is_refused(world: World) -> None:
    for email in ("", "nobody", "a@example.org, b@example.org", "a@example.org\r\nBcc: b@c.de"):
        answer = await requested(world, email)
        assert answer.status_code == 400, email
    assert await world.rows(mails) == []


async def test_a_link_works_once(world: World) -> None:
    person = await world.person(password_hash=WEAK_HASH)
    token = await token_for(world, person)
    answers = await asyncio.gather(*(confirmed(world, token) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400]
    assert "not valid any more" in (await confirmed(world, token)).json()["detail"]


async def test_a_new_request_voids_the_older_link_at_once(world: World) -> None:
    person = await world.person(password_hash=WEAK_HASH)
    older = await token_for(world, person)
    await requested(world, address(person))
    assert (await confirmed(world, older)).status_code == 400
    [(_, message)] = await sent_mails(world.database)
    assert (await confirmed(world, token_in(message))).status_code == 200


async def test_of_several_requests_only_the_last_is_sent(world: World) -> None:
    person = await world.person(password_hash=WEAK_HASH)
    for _ in range(3):
        await requested(world, address(person))
    [(_, message)] = await sent_mails(world.database)
    assert (await confirmed(world, token_in(message))).status_code == 200


async def test_a_link_ends_after_an_hour(world: World) -> None:
    person = await world.person(password_hash=WEAK_HASH)
    token = await token_for(world, person)
    assert await world.scalar(
        "SELECT expires_at - now() <= interval '1 hour' AND"
        " expires_at - now() > interval '59 minutes' FROM account_links"
    )
    await world.execute(update(account_links).values(expires_at=text("now()")))
    assert (await confirmed(world, token)).status_code == 400
    assert (await logged_in(world, person, PASSWORD)).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "é" * 300, "A" * 43])
async def test_a_token_that_is_none_is_not_found(world: World, token: str) -> None:
    answer = await confirmed(world, token)
    assert answer.status_code == 404


async def test_a_refused_password_leaves_the_link_usable(world: World) -> None:
    person = await world.person(password_hash=WEAK_HASH)
    token = await token_for(world, person)
    answer = await confirmed(world, token, "short")
    assert answer.status_code == 400
    assert "at least 8 characters" in answer.json()["detail"]
    assert (await confirmed(world, token)).status_code == 200


async def test_a_closed_account_gets_no_link(world: World) -> None:
    person = await world.person(is_active=False)
    await requested(world, address(person))
    assert await sent_mails(world.database) == []


async def test_a_link_of_an_account_that_was_closed_since_does_not_open_it(world: World) -> None:
    person = await world.person(password_hash=WEAK_HASH)
    token = await token_for(world, person)
    await world.change(users, person.id, is_active=False)
    assert (await confirmed(world, token)).status_code in (400, 404)


async def test_the_mail_goes_to_the_address_of_the_account_not_to_the_one_asked_with(
    world: World,
) -> None:
    """Two addresses may be alike to the database and belong to two people."""
    person = await world.person()
    await requested(world, address(person).upper())
    [(recipient, _)] = await sent_mails(world.database)
    assert recipient == address(person)


async def test_with_the_old_password_a_new_one_ends_the_other_logins(world: World) -> None:
    person = await world.person(password_hash=WEAK_HASH)
    mine = (await logged_in(world, person, PASSWORD)).json()["access_token"]
    other = (await logged_in(world, person, PASSWORD)).json()["access_token"]
    world.client.cookies.clear()

    async def changed(**body: str) -> httpx.Response:
        return await world.client.post(
            "/api/me/password", json=body, headers={"Authorization": f"Bearer {mine}"}
        )

    assert (await changed(current="Wrong-12345", new=OTHER)).json() == {
        "detail": "The current password is wrong."
    }
    assert (await changed(current=PASSWORD, new="short")).status_code == 400
    assert (await changed(current=PASSWORD, new=PASSWORD)).status_code == 400
    assert (await changed(current=PASSWORD, new=OTHER)).status_code == 200
    statuses = [
        (
            await world.client.get("/api/me", headers={"Authorization": f"Bearer {token}"})
        ).status_code
        for token in (mine, other)
    ]
    assert statuses == [200, 401]
    assert (await logged_in(world, person, OTHER)).status_code == 200
    [(recipient, notice)] = await sent_mails(world.database)
    assert (recipient, notice["Subject"]) == (address(person), "Your password was changed")
    assert "password.changed" in await actions(world)


async def test_a_changed_password_voids_links_that_were_sent_before(world: World) -> None:
    person = await world.person(password_hash=WEAK_HASH)
    token = await token_for(world, person)
    answer = await world.client.post(
        "/api/me/password", json={"current": PASSWORD, "new": OTHER}, headers=person.headers
    )
    assert answer.status_code == 200
    assert (await confirmed(world, token, "Another-One-56")).status_code == 400


async def test_an_admin_who_changes_a_photographers_password_has_them_told(world: World) -> None:
    admin, person = await world.admin(), await world.photographer()
    answer = await world.client.put(
        f"/api/admin/photographers/{person.id}", json={"password": OTHER}, headers=admin.headers
    )
    assert answer.status_code == 200
    [(recipient, notice)] = await sent_mails(world.database)
    assert (recipient, notice["Subject"]) == (address(person), "Your password was changed")


async def test_passwords_and_tokens_are_in_no_answer(world: World) -> None:
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/api/password-reset/confirm", {"token": [OTHER], "new_password": OTHER}),
        ("/api/password-reset/confirm", {"token": OTHER, "new_password": "short" + OTHER[:0]}),
    ]
    for path, body in bodies:
        answer = await world.client.post(path, json=body)
        assert answer.status_code in (404, 422)
        assert OTHER not in answer.text


def test_a_link_for_a_password_holds_an_hour() -> None:
    from services.gallery.links.rules import KINDS, Purpose

    assert KINDS[Purpose.PASSWORD_RESET].lifetime == timedelta(hours=1)

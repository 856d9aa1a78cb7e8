"""Guests without a password: a name is enough, and a link brings the account to another device."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text, update

from libs.common.consent import VERSION
from libs.common.database.tables import (
    account_links,
    audit,
    consents,
    mails,
    memberships,
    sessions,
    users,
)
from libs.common.web.auth import Role
from tests.gallery.world import World
from tests.support.mailbox import sent_mails, text_of, token_in
from tests.support.people import Person, bearer

CONSENT = VERSION


async def joined(
    world: World, code: str, *, token: str | None = None, **said: Any
) -> httpx.Response:
    body = {"event_code": code, "name": "Anna", "consent_version": CONSENT} | said
    headers = bearer(token) if token else {}
    answer = await world.client.post("/api/join", json=body, headers=headers)
    world.client.cookies.clear()
    return answer


async def guest(world: World, code: str = "GALA1234", **said: Any) -> tuple[int, str]:
    """A guest who has just joined: id and token."""
    answer = await joined(world, code, **said)
    assert answer.status_code == 200, answer.text
    return answer.json()["user"]["id"], answer.json()["access_token"]


async def confirmed(world: World, token: str) -> httpx.Response:
    answer = await world.client.post("/api/link/confirm", json={"token": token})
    world.client.cookies.clear()
    return answer


async def changed(world: World, token: str, **values: Any) -> httpx.Response:
    return await world.client.put("/api/me", json=values, headers=bearer(token))


async def settings(world: World, token: str) -> dict[str, Any]:
    answer = await world.client.get("/api/me/settings", headers=bearer(token))
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def account_of(world: World, token: str) -> int | None:
    answer = await world.client.get("/api/me", headers=bearer(token))
    return answer.json()["id"] if answer.status_code == 200 else None


async def test_a_name_and_consent_are_enough_and_the_session_lasts_for_months(
    world: World,
) -> None:
    event_id = await world.event(code="GALA1234")
    answer = await joined(world, " gala 1234 ", name="  Zoë  Müller ")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["event_id"], body["event_name"]) == (event_id, "Event GALA1234")
    assert (body["user"]["username"], body["user"]["email"]) == ("Zoë Müller", None)
    assert body["user"]["user_type"] == "user"
    cookie = answer.headers["set-cookie"]
    assert body["access_token"] in cookie
    assert "HttpOnly" in cookie
    assert f"Max-Age={180 * 24 * 3600}" in cookie
    assert answer.headers["cache-control"] == "no-store"
    [consent] = await world.rows(consents)
    assert (consent["version"], consent["given_by"]) == (VERSION, "join")
    [row] = await world.rows(users)
    assert (row["password_hash"], row["username_key"], row["email_key"]) == (None, None, None)
    assert [row["event_id"] for row in await world.rows(memberships)] == [event_id]
    photos = await world.client.get("/api/my-photos", headers=bearer(body["access_token"]))
    assert photos.json() == []
    assert await world.rows(mails) == []


async def test_any_number_of_guests_are_called_anna(world: World) -> None:
    await world.event(code="GALA1234")
    ids = {(await guest(world))[0] for _ in range(3)}
    assert len(ids) == 3
    taken = await world.client.post("/api/check-user-availability", json={"username": "Anna"})
    assert taken.json()["username_taken"] is False
    login = await world.client.post("/api/login", json={"username": "Anna", "password": ""})
    assert login.status_code == 401


@pytest.mark.parametrize(
    "name", ["ann", "Ann", " ＡNN ", "аnn", "Αnn", "root", "rооt", "сара", "capa"]
)
async def test_no_guest_is_called_like_who_runs_events(world: World, name: str) -> None:
    await world.event(code="GALA1234")
    await world.person(Role.PHOTOGRAPHER, username="ann", username_key="ann")
    await world.person(Role.PHOTOGRAPHER, username="Сара", username_key="сара")
    await world.person(Role.ADMIN, username="root", username_key="root")
    answer = await joined(world, "GALA1234", name=name)
    assert answer.status_code == 400
    assert "another name" in answer.json()["detail"]
    _, token = await guest(world)
    assert (await changed(world, token, name=name)).status_code == 400
    assert (await changed(world, token, name="Anne")).status_code == 200


async def test_an_older_account_without_a_key_keeps_its_name_too(world: World) -> None:
    await world.event(code="GALA1234")
    await world.person(
        Role.PHOTOGRAPHER, username="Ann", username_key=None, password_hash="of the past"
    )
    assert (await joined(world, "GALA1234", name="Ann")).status_code == 400


async def test_a_guest_may_be_called_like_another_one_with_a_password(world: World) -> None:
    await world.event(code="GALA1234")
    await world.person(username="ann", username_key="ann")
    assert (await joined(world, "GALA1234", name="ann")).status_code == 200


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"name": ""}, 400),
        ({"name": "x" * 101}, 400),
        ({"name": "An\u202ena"}, 400),
        ({"name": "\u200b"}, 400),
        ({"name": "\u3164"}, 400),
        ({"name": "\u2800"}, 400),
        ({"name": "Anna\u115f"}, 400),
        ({"email": "no address"}, 400),
        ({"email": "a@example.org, b@example.org"}, 400),
        ({"language": "xx"}, 422),
        ({"event_code": "NOTHING1"}, 404),
        ({"consent_version": "of yesterday"}, 409),
    ],
)
async def test_what_cannot_be_is_refused_and_leaves_nothing(
    world: World, said: dict[str, Any], status: int
) -> None:
    await world.event(code="GALA1234")
    answer = await joined(world, "GALA1234", **said)
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers
    assert await world.rows(users) == []


async def test_with_the_same_session_one_joins_further_events_with_one_account(
    world: World,
) -> None:
    await world.event(code="GALA1234")
    second = await world.event(code="BALL1234")
    user_id, token = await guest(world)
    for _ in range(2):  # the second time they are in already
        answer = await joined(world, "BALL1234", token=token, name="Somebody else")
        assert answer.status_code == 200
        assert (answer.json()["user"]["id"], answer.json()["access_token"]) == (user_id, None)
        assert answer.json()["event_id"] == second
        assert answer.json()["user"]["username"] == "Anna"
        assert "set-cookie" not in answer.headers
    assert len(await world.rows(users)) == 1


async def test_whose_session_is_over_begins_anew(world: World) -> None:
    await world.event(code="GALA1234")
    user_id, token = await guest(world)
    await world.execute(sessions.delete())
    answer = await joined(world, "GALA1234", token=token)
    assert answer.json()["user"]["id"] != user_id
    assert answer.json()["access_token"]


async def test_a_photographer_does_not_become_a_guest(world: World) -> None:
    photographer = await world.photographer()
    await world.event(photographer, code="GALA1234")
    answer = await joined(world, "GALA1234", token=photographer.token)
    assert answer.status_code == 403
    assert "Log out" in answer.json()["detail"]


async def test_the_browser_says_in_which_language_mails_are(world: World) -> None:
    await world.event(code="GALA1234")
    body = {"event_code": "GALA1234", "name": "Anna", "consent_version": CONSENT}
    for header, language in (("fr-FR,fr;q=0.9", "fr"), ("de", "en")):
        answer = await world.client.post(
            "/api/join", json=body, headers={"Accept-Language": header}
        )
        world.client.cookies.clear()
        assert (await settings(world, answer.json()["access_token"]))["language"] == language


async def test_a_link_in_a_mail_opens_the_account_on_another_device_and_proves_the_address(
    world: World,
) -> None:
    await world.event(code="GALA1234")
    user_id, token = await guest(world, email="Anna@Example.org", language="fr")
    assert (await settings(world, token))["unconfirmed_email"] == "Anna@example.org"
    [(recipient, message)] = await sent_mails(world.database)
    assert (recipient, message["Subject"]) == ("Anna@example.org", "Votre lien vers vos photos")
    # A stranger's name for themselves would be their words in our mail.
    assert "Anna" not in text_of(message)
    answer = await confirmed(world, token_in(message))
    assert answer.status_code == 200
    other = answer.json()["access_token"]
    assert other != token
    assert other in answer.headers["set-cookie"]
    assert await account_of(world, other) == await account_of(world, token) == user_id
    assert (await settings(world, other)) | {"wants_news": True} == {
        "name": "Anna",
        "email": "Anna@example.org",
        "unconfirmed_email": None,
        "language": "fr",
        "wants_news": True,
        "has_password": False,
    }
    assert (await confirmed(world, token_in(message))).status_code == 400


async def test_a_link_shown_on_one_device_opens_the_account_on_another_once(world: World) -> None:
    await world.event(code="GALA1234")
    user_id, token = await guest(world)
    answer = await world.client.post("/api/me/link", headers=bearer(token))
    assert answer.status_code == 200
    page, _, secret = answer.json()["link"].partition("#token=")
    assert page == "http://localhost:8003/api/pages/link"
    lifetime = "SELECT expires_at - now() FROM account_links"
    assert timedelta(minutes=9) < await world.scalar(lifetime) <= timedelta(minutes=10)
    answers = await asyncio.gather(*(confirmed(world, secret) for _ in range(3)))
    assert sorted(one.status_code for one in answers) == [200, 400, 400]
    opened = next(one for one in answers if one.status_code == 200)
    assert await account_of(world, opened.json()["access_token"]) == user_id
    assert await world.rows(mails) == []


async def test_the_host_of_a_request_does_not_come_into_links(world: World) -> None:
    await world.event(code="GALA1234")
    _, token = await guest(world)
    answer = await world.client.post(
        "/api/me/link", headers=bearer(token) | {"Host": "evil.example"}
    )
    assert "evil" not in answer.text


async def test_a_newer_link_voids_the_older(world: World) -> None:
    await world.event(code="GALA1234")
    _, token = await guest(world)
    links = [
        (await world.client.post("/api/me/link", headers=bearer(token))).json()["link"]
        for _ in range(2)
    ]
    older, newer = (link.partition("#token=")[2] for link in links)
    assert (await confirmed(world, older)).status_code == 400
    assert (await confirmed(world, newer)).status_code == 200


async def test_a_link_that_was_not_opened_in_time_is_over(world: World) -> None:
    await world.event(code="GALA1234")
    _, token = await guest(world)
    link = (await world.client.post("/api/me/link", headers=bearer(token))).json()["link"]
    await world.execute(update(account_links).values(expires_at=text("now()")))
    assert (await confirmed(world, link.partition("#token=")[2])).status_code == 400
    assert (await confirmed(world, "A" * 43)).status_code == 404


async def test_a_link_does_not_open_an_account_that_was_closed(world: World) -> None:
    await world.event(code="GALA1234")
    user_id, token = await guest(world)
    link = (await world.client.post("/api/me/link", headers=bearer(token))).json()["link"]
    await world.change(users, user_id, is_active=False)
    assert (await confirmed(world, link.partition("#token=")[2])).status_code in (400, 401)


async def test_a_logout_everywhere_voids_the_link_that_a_device_shows(world: World) -> None:
    await world.event(code="GALA1234")
    _, token = await guest(world)
    link = (await world.client.post("/api/me/link", headers=bearer(token))).json()["link"]
    await world.client.post("/api/logout", json={"all": True}, headers=bearer(token))
    assert (await confirmed(world, link.partition("#token=")[2])).status_code == 400


async def test_a_link_is_sent_again_to_the_accounts_address(world: World) -> None:
    await world.event(code="GALA1234")
    user_id, token = await guest(world)

    async def by_mail() -> httpx.Response:
        return await world.client.post(
            "/api/me/link", json={"by_mail": True}, headers=bearer(token)
        )

    assert (await by_mail()).status_code == 409
    await changed(world, token, email="anna@example.org")
    await sent_mails(world.database)
    answer = await by_mail()
    assert (answer.status_code, answer.json()["link"]) == (200, None)
    [(recipient, message)] = await sent_mails(world.database)
    assert recipient == "anna@example.org"
    answer = await confirmed(world, token_in(message))
    assert answer.json()["user"]["id"] == user_id


async def test_whoever_lost_all_devices_gets_a_link_by_asking_for_a_password(
    world: World,
) -> None:
    await world.event(code="GALA1234")
    user_id, _ = await guest(world, email="anna@example.org")
    ask = {"email": "ANNA@example.org"}
    await sent_mails(world.database)
    # Not before the address is known to be theirs.
    await world.client.post("/api/password-reset/request", json=ask)
    assert await sent_mails(world.database) == []
    await world.change(users, user_id, email="anna@example.org", email_key="anna@example.org")
    await world.client.post("/api/password-reset/request", json=ask)
    [(recipient, message)] = await sent_mails(world.database)
    assert (recipient, message["Subject"]) == ("anna@example.org", "Your link to your photos")
    assert (await confirmed(world, token_in(message))).json()["user"]["id"] == user_id


async def test_naming_somebodys_address_neither_blocks_them_nor_opens_their_account(
    world: World,
) -> None:
    await world.event(code="GALA1234")
    _, stranger = await guest(world, email="anna@example.org")
    asked = {"username": "anna", "email": "anna@example.org"}
    taken = await world.client.post("/api/check-user-availability", json=asked)
    assert taken.json() == {"username_taken": False, "email_taken": False}
    registered = await world.client.post(
        "/api/register-with-event-code",
        json={"user_data": asked | {"password": "Wedding-Band-12"}, "event_code": "GALA1234"},
    )
    assert registered.status_code == 200
    # And two guests may name it; it is whose who opens the link there first.
    await guest(world, email="anna@example.org")
    letters = [mail for mail in await sent_mails(world.database) if "#token" in text_of(mail[1])]
    assert len(letters) == 2
    for _, message in letters:
        answer = await confirmed(world, token_in(message))
        assert answer.status_code == 200
        # The registered account has it: nobody else's becomes it.
        assert answer.json()["user"]["email"] is None
    assert (await settings(world, stranger))["email"] is None


async def test_of_two_guests_the_address_is_whose_who_proves_it_first(world: World) -> None:
    await world.event(code="GALA1234")
    first, _ = await guest(world, email="anna@example.org")
    await guest(world, email="ANNA@example.org")
    letters = await sent_mails(world.database)
    answers = [await confirmed(world, token_in(message)) for _, message in letters]
    assert [answer.json()["user"]["email"] for answer in answers] == ["anna@example.org", None]
    assert answers[0].json()["user"]["id"] == first


async def test_another_address_counts_once_its_link_is_opened_and_the_old_one_is_told(
    world: World,
) -> None:
    await world.event(code="GALA1234")
    _, token = await guest(world, email="old@example.org")
    [(_, message)] = await sent_mails(world.database)
    await confirmed(world, token_in(message))
    answer = await changed(world, token, email="new@example.org", name="Anne", wants_news=False)
    assert answer.json() == {
        "name": "Anne",
        "email": "old@example.org",
        "unconfirmed_email": "new@example.org",
        "language": "en",
        "wants_news": False,
        "has_password": False,
    }
    [(recipient, message)] = await sent_mails(world.database)
    assert recipient == "new@example.org"
    await confirmed(world, token_in(message))
    assert (await settings(world, token))["email"] == "new@example.org"
    [(recipient, notice)] = await sent_mails(world.database)
    assert (recipient, notice["Subject"]) == ("old@example.org", "Your email address was changed")


async def test_a_mistyped_address_that_is_corrected_opens_nothing(world: World) -> None:
    await world.event(code="GALA1234")
    _, token = await guest(world, email="typo@example.org")
    [(_, wrong)] = await sent_mails(world.database)
    await changed(world, token, email="anna@example.org")
    assert (await confirmed(world, token_in(wrong))).status_code == 400
    [(recipient, right)] = await sent_mails(world.database)
    assert recipient == "anna@example.org"
    assert (await confirmed(world, token_in(right))).status_code == 200


async def test_a_mail_that_still_waits_for_a_corrected_address_is_not_sent(world: World) -> None:
    await world.event(code="GALA1234")
    _, token = await guest(world, email="typo@example.org")
    await changed(world, token, email="anna@example.org")
    assert [recipient for recipient, _ in await sent_mails(world.database)] == ["anna@example.org"]


async def test_an_address_is_taken_away_by_an_empty_one(world: World) -> None:
    await world.event(code="GALA1234")
    _, token = await guest(world, email="anna@example.org")
    [(_, message)] = await sent_mails(world.database)
    await confirmed(world, token_in(message))
    assert (await changed(world, token, email="")).json()["email"] is None
    assert await sent_mails(world.database) == []


async def test_whoever_has_a_password_proves_an_address_but_is_not_let_in_by_it(
    world: World,
) -> None:
    person = await world.person(Role.PHOTOGRAPHER)
    answer = await changed(world, person.token, email="studio@example.org", language="fr")
    assert answer.json()["unconfirmed_email"] == "studio@example.org"
    assert (await changed(world, person.token, name="Else")).status_code == 409
    assert (await changed(world, person.token, email="")).status_code == 409
    [(recipient, message)] = await sent_mails(world.database)
    assert (recipient, message["Subject"]) == (
        "studio@example.org",
        "Confirmez votre adresse e-mail",
    )
    answer = await confirmed(world, token_in(message))
    assert (answer.status_code, answer.json()["access_token"]) == (200, None)
    assert "set-cookie" not in answer.headers
    assert (await settings(world, person.token))["email"] == "studio@example.org"


async def test_a_guest_who_deletes_the_account_leaves_nothing(world: World) -> None:
    await world.event(code="GALA1234")
    _, token = await guest(world, email="anna@example.org")
    await world.client.post("/api/me/link", headers=bearer(token))
    answer = await world.client.delete("/api/me", headers=bearer(token))
    assert answer.status_code == 200
    for table in (users, mails, account_links, memberships):
        assert await world.rows(table) == []
    assert "anna" not in str(await world.rows(audit)).lower()


async def test_a_guest_without_an_address_is_shown_as_such(world: World) -> None:
    event_id = await world.event(code="GALA1234")
    await guest(world)
    admin: Person = await world.admin()
    answer = await world.client.get(f"/api/admin/events/{event_id}/users", headers=admin.headers)
    assert [(one["username"], one["email"]) for one in answer.json()] == [("Anna", None)]


async def test_mails_to_one_address_and_wrong_links_are_limited(world: World) -> None:
    await world.event(code="GALA1234")
    answers = [await joined(world, "GALA1234", email="anna@example.org") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    links = [await confirmed(world, f"{number:043d}") for number in range(51)]
    assert [links[0].status_code, links[-1].status_code] == [404, 429]

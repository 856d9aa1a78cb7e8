"""Guests who join without a password together with their selfie, in one request."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from libs.common.consent import VERSION
from libs.common.database.tables import (
    audit,
    consents,
    events,
    mails,
    memberships,
    selfies,
    sessions,
    users,
)
from libs.common.errors import NotAuthenticated
from libs.common.limits.budgets import JOINS, MAILS_TO_ADDRESSEE, WRONG_CODES, Budget
from libs.common.registrations import JoinRequest
from libs.common.storage.protocol import ObjectStore
from libs.common.web.auth import Role
from libs.common.web.session_cookie import SECURE_TOKEN_COOKIE, TOKEN_COOKIE
from services.gallery.app import create_app as create_gallery
from services.gallery.settings import GallerySettings
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import NO_FACE, Ingest, running_ingest
from tests.support.full_store import FullStore
from tests.support.image_files import image_file
from tests.support.people import bearer
from tests.support.settings import settings_of

URL = "/api/join-with-selfie"
CODE = "PARTY7"
ANNA = {"event_code": CODE, "name": "Anna", "consent_version": VERSION}
SELFIE = image_file(size=(640, 480))
#: What a browser says of our own pages.
OURS = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def ingest(settings: IngestSettings, store: ObjectStore) -> AsyncIterator[Ingest]:
    of_gallery = settings_of(GallerySettings, settings.database_url)
    async with running_ingest(
        settings, store, gallery_of=lambda resources: create_gallery(of_gallery, resources)
    ) as ingest:
        yield ingest


@pytest.fixture
async def event_id(ingest: Ingest) -> int:
    return await ingest.world.event(code=CODE)


async def join(
    ingest: Ingest,
    *,
    selfie: bytes | None = SELFIE,
    token: str | None = None,
    headers: dict[str, str] | None = None,
    **said: str | None,
) -> httpx.Response:
    fields = {name: value for name, value in (ANNA | said).items() if value is not None}
    # Files alone make httpx send a form with a boundary.
    parts: list[tuple[str, Any]] = [(name, (None, value)) for name, value in fields.items()]
    parts += [] if selfie is None else [("file", ("me.jpg", selfie, "image/jpeg"))]
    sent = (headers or {}) | (bearer(token) if token else {})
    answer = await ingest.client.post(URL, files=parts, headers=sent)
    ingest.client.cookies.clear()
    return answer


async def rows(ingest: Ingest, *columns: Any) -> list[Any]:
    async with ingest.resources.database.read() as connection:
        return list(await connection.execute(select(*columns)))


async def nothing_is_left(ingest: Ingest) -> bool:
    tables = (users, memberships, selfies, sessions, consents, mails)
    counts = [await rows(ingest, table) for table in tables]
    return not any(counts) and not await ingest.objects()


async def test_a_guest_is_in_the_event_with_a_session_a_selfie_and_their_consent(
    ingest: Ingest, event_id: int
) -> None:
    answer = await join(ingest, name="  Zoë  Müller ", language="fr")

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {
        "message", "access_token", "token_type", "user", "event_id", "event_name",
    }  # fmt: skip
    assert (body["event_id"], body["token_type"]) == (event_id, "bearer")
    user = body["user"]
    assert (user["username"], user["email"], user["user_type"]) == ("Zoë Müller", None, "user")
    assert user["selfie_path"] == f"/api/selfie/{user['id']}"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{TOKEN_COOKIE}={body['access_token']};")
    assert {"HttpOnly", "SameSite=lax", f"Max-Age={180 * 24 * 3600}"} <= set(cookie.split("; "))
    assert answer.headers["cache-control"] == "no-store"
    [selfie] = await rows(ingest, selfies.c.id, selfies.c.user_id, selfies.c.object_key)
    assert selfie.user_id == user["id"]
    assert await ingest.resources.store.get(selfie.object_key) == SELFIE
    [(topic, message)] = await ingest.messages()
    assert (topic, message["event_id"], message["selfie_id"]) == (
        "selfie.uploaded", event_id, selfie.id,
    )  # fmt: skip
    given = [(row.version, row.language, row.given_by) for row in await rows(ingest, consents)]
    assert given == [(VERSION, "fr", "join"), (VERSION, "fr", "selfie")]
    assert ingest.recognition.asked_anonymously == [True]


async def test_the_session_is_good_for_what_guests_do(ingest: Ingest, event_id: int) -> None:
    token = (await join(ingest)).json()["access_token"]
    again = await ingest.client.post(
        "/api/upload-selfie", headers=bearer(token), files={"file": ("me.jpg", SELFIE)}
    )
    assert again.status_code == 200


@pytest.mark.parametrize("first", ["file", "fields"])
async def test_the_fields_and_the_file_come_in_any_order(
    ingest: Ingest, event_id: int, first: str
) -> None:
    parts: list[tuple[str, Any]] = [(name, (None, value)) for name, value in ANNA.items()]
    parts += [("email", (None, "")), ("language", (None, "")), ("user_id", (None, "1"))]
    file = ("file", ("me.jpg", SELFIE, "image/jpeg"))
    parts = [file, *parts] if first == "file" else [*parts, file]

    answer = await ingest.client.post(URL, files=parts)

    assert answer.status_code == 200, answer.text


async def test_a_selfie_that_is_refused_leaves_nothing(ingest: Ingest, event_id: int) -> None:
    ingest.recognition.refused.add(SELFIE)
    email = "anna@example.org"

    no_face = await join(ingest, email=email)
    no_image = await join(ingest, selfie=b"not an image", email=email)
    too_large = await join(ingest, selfie=b"x" * (ingest.settings.max_selfie_bytes + 1))

    assert (no_face.status_code, no_face.json()) == (400, {"detail": NO_FACE})
    assert (no_image.status_code, too_large.status_code) == (400, 400)
    assert "5 MB" in too_large.json()["detail"]
    assert "set-cookie" not in no_face.headers
    assert await nothing_is_left(ingest)


async def test_refused_selfies_use_up_no_mails(ingest: Ingest, event_id: int) -> None:
    for _ in range(MAILS_TO_ADDRESSEE.amount + 1):
        refused = await join(ingest, selfie=b"not an image", email="anna@example.org")
        assert refused.status_code == 400

    answer = await join(ingest, email="anna@example.org", language="fr")

    assert answer.status_code == 200, answer.text
    [mail] = await rows(ingest, mails.c.recipient, mails.c.language)
    assert tuple(mail) == ("anna@example.org", "fr")


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"name": ""}, 400),
        ({"name": "\u200b"}, 400),
        ({"name": "root"}, 400),
        ({"email": "no address"}, 400),
        ({"language": "xx"}, 400),
        ({"event_code": "NOTHING1"}, 404),
        ({"consent_version": "of yesterday"}, 409),
    ],
)
async def test_what_cannot_be_is_refused_and_costs_no_look_at_the_picture(
    ingest: Ingest, event_id: int, said: dict[str, Any], status: int
) -> None:
    await ingest.world.person(Role.ADMIN, username="root", username_key="root")
    answer = await join(ingest, **said)

    assert answer.status_code == status, answer.text
    assert ingest.recognition.asked_anonymously == []
    assert "set-cookie" not in answer.headers
    await ingest.world.execute(users.delete().where(users.c.username == "root"))
    assert await nothing_is_left(ingest)


async def test_an_event_that_is_over_takes_nobody(ingest: Ingest, event_id: int) -> None:
    await ingest.world.execute(
        events.update().values(expires_at=datetime.now(UTC) - timedelta(days=1))
    )
    assert (await join(ingest)).status_code == 410
    assert ingest.recognition.asked_anonymously == []
    assert await nothing_is_left(ingest)


@pytest.mark.parametrize("budget", [WRONG_CODES, JOINS], ids=lambda budget: budget.name)
async def test_limits_are_those_of_joining_and_count_before_the_picture(
    ingest: Ingest, event_id: int, budget: Budget
) -> None:
    used_up = JOINS.of(event_id, "127.0.0.1") if budget is JOINS else WRONG_CODES.of("127.0.0.1")
    await ingest.app.state.limiter.spend(used_up)
    async with ingest.resources.database.single_statements() as connection:
        await connection.exec_driver_sql(f"UPDATE rate_limits SET present = {budget.amount}")

    refused = await join(ingest)

    assert (refused.status_code, refused.json()) == (429, {"detail": budget.refusal})
    assert int(refused.headers["retry-after"]) > 0
    assert ingest.recognition.asked_anonymously == []
    assert await nothing_is_left(ingest)


async def test_one_join_counts_once(ingest: Ingest, event_id: int) -> None:
    await join(ingest)
    limiter = ingest.app.state.limiter
    joins = JOINS.of(event_id, "127.0.0.1")
    left = (await limiter._left([joins]))[joins]
    assert left == JOINS.amount - 1


@pytest.mark.parametrize("missing", [*ANNA, "file"])
async def test_what_the_form_lacks_is_named(ingest: Ingest, event_id: int, missing: str) -> None:
    lacking: dict[str, Any] = {"selfie": None} if missing == "file" else {missing: None}
    answer = await join(ingest, **lacking)

    assert answer.status_code == 400
    assert missing in answer.json()["detail"]


@pytest.mark.parametrize("by", ["bearer", "cookie"])
async def test_with_a_session_one_joins_further_events_with_one_account_and_this_selfie(
    ingest: Ingest, event_id: int, by: str
) -> None:
    other = await ingest.world.event(code="BALL1234")
    first = (await join(ingest)).json()
    token = first["access_token"]
    headers = bearer(token) if by == "bearer" else OURS | {"Cookie": f"{TOKEN_COOKIE}={token}"}
    new_selfie = image_file(seed=2)

    answer = await join(
        ingest, event_code="BALL1234", name="Other", selfie=new_selfie, headers=headers
    )

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["user"]["id"], body["access_token"]) == (first["user"]["id"], None)
    assert (body["event_id"], body["user"]["username"]) == (other, "Anna")
    assert "set-cookie" not in answer.headers
    [selfie] = await rows(ingest, selfies.c.object_key)
    assert await ingest.resources.store.get(selfie.object_key) == new_selfie
    joined = [row.event_id for row in await rows(ingest, memberships.c.event_id)]
    assert sorted(joined) == sorted([event_id, other])
    # As an account's, not as a stranger's.
    assert ingest.recognition.asked_anonymously == [True, False]


async def test_with_a_session_a_refused_selfie_joins_nothing_and_the_earlier_one_stays(
    ingest: Ingest, event_id: int
) -> None:
    await ingest.world.event(code="BALL1234")
    token = (await join(ingest)).json()["access_token"]
    [before] = await rows(ingest, selfies.c.id)

    answer = await join(ingest, event_code="BALL1234", token=token, selfie=b"not an image")

    assert answer.status_code == 400
    assert [row.event_id for row in await rows(ingest, memberships.c.event_id)] == [event_id]
    assert await rows(ingest, selfies.c.id) == [before]


async def test_whose_session_is_over_begins_anew(ingest: Ingest, event_id: int) -> None:
    first = (await join(ingest)).json()
    await ingest.world.execute(sessions.delete())
    answer = await join(ingest, token=first["access_token"])
    assert answer.status_code == 200, answer.text
    assert answer.json()["user"]["id"] != first["user"]["id"]
    assert answer.json()["access_token"]


async def test_whose_account_goes_meanwhile_is_told_to_join_anew(
    ingest: Ingest, event_id: int
) -> None:
    accounts = ingest.app.state.context.accounts
    asked = JoinRequest(**ANNA, user_id=999)
    for step in (accounts.check_join, accounts.join):
        with pytest.raises(NotAuthenticated, match="Join again"):
            await step(asked)
    assert await nothing_is_left(ingest)


async def test_a_photographer_does_not_become_a_guest(ingest: Ingest, event_id: int) -> None:
    photographer = await ingest.world.person(Role.PHOTOGRAPHER)
    answer = await join(ingest, token=photographer.token)
    assert answer.status_code == 403
    assert "Log out" in answer.json()["detail"]
    assert ingest.recognition.asked_anonymously == []
    assert await rows(ingest, memberships) == []


@pytest.mark.parametrize(
    "says",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_no_other_website_puts_a_login_of_its_own_into_a_browser(
    ingest: Ingest, event_id: int, says: dict[str, str]
) -> None:
    refused = await join(ingest, headers=says)
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    assert await nothing_is_left(ingest)


@pytest.mark.parametrize("says", [OURS, {"Origin": "http://test"}, {}])
async def test_our_own_pages_and_clients_that_are_no_browser_are_let_in(
    ingest: Ingest, event_id: int, says: dict[str, str]
) -> None:
    assert (await join(ingest, headers=says)).status_code == 200


async def test_a_cookie_alone_joins_nothing_for_another_website(
    ingest: Ingest, event_id: int
) -> None:
    guest = await ingest.world.person()
    cookie = {"Cookie": f"{TOKEN_COOKIE}={guest.token}", "Sec-Fetch-Site": "cross-site"}
    assert (await join(ingest, headers=cookie)).status_code == 403
    assert await rows(ingest, memberships) == []


async def test_by_tls_the_cookie_is_this_hosts_alone(ingest: Ingest, event_id: int) -> None:
    app_settings = ingest.app.state.settings
    ingest.app.state.settings = app_settings.model_copy(update={"secure_cookies": "always"})
    cookie = (await join(ingest)).headers["set-cookie"]
    assert cookie.startswith(f"{SECURE_TOKEN_COOKIE}=")
    assert "Secure" in cookie


async def test_a_form_that_a_session_sends_twice_at_once_leaves_one_guest_and_one_selfie(
    ingest: Ingest, event_id: int
) -> None:
    other = await ingest.world.event(code="BALL1234")
    token = (await join(ingest)).json()["access_token"]

    answers = await asyncio.gather(
        *(join(ingest, event_code="BALL1234", token=token) for _ in range(4))
    )

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["event_id"] for answer in answers} == {other}
    assert len(await rows(ingest, selfies.c.id)) == 1


async def test_a_form_that_is_sent_twice_without_a_session_is_two_whole_guests(
    ingest: Ingest, event_id: int
) -> None:
    answers = await asyncio.gather(join(ingest), join(ingest))

    assert {answer.status_code for answer in answers} == {200}
    ids = {answer.json()["user"]["id"] for answer in answers}
    assert len(ids) == 2
    assert {row.user_id for row in await rows(ingest, selfies.c.user_id)} == ids
    assert {row.user_id for row in await rows(ingest, memberships.c.user_id)} == ids


async def test_where_the_selfie_cannot_be_kept_a_new_guest_is_taken_back_and_another_stays(
    ingest: Ingest, event_id: int
) -> None:
    context = ingest.app.state.context
    broken = replace(context.resources, store=FullStore(context.resources.store))
    ingest.app.state.context = replace(context, resources=broken)

    failed = await join(ingest, email="anna@example.org")
    assert failed.status_code == 503
    assert "set-cookie" not in failed.headers
    assert await nothing_is_left(ingest)

    ingest.app.state.context = context
    first = (await join(ingest)).json()
    ingest.app.state.context = replace(context, resources=broken)
    assert (await join(ingest, token=first["access_token"])).status_code == 503
    assert [row.id for row in await rows(ingest, users.c.id)] == [first["user"]["id"]]
    assert len(await rows(ingest, selfies.c.id)) == 1


async def test_where_the_gallery_is_away_guests_are_asked_to_come_back(
    settings: IngestSettings, store: ObjectStore
) -> None:
    away = settings.model_copy(update={"gallery_url": "http://127.0.0.1:9"})
    async with running_ingest(away, store) as ingest:
        answer = await join(ingest)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


async def test_address_and_browser_are_the_guests_not_the_services(
    ingest: Ingest, event_id: int
) -> None:
    transport = httpx.ASGITransport(ingest.app, client=("198.51.100.77", 40_000))
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    headers = {"User-Agent": agent, "Accept-Language": "fr-CH"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=headers
    ) as client:
        parts: list[tuple[str, Any]] = [(name, (None, value)) for name, value in ANNA.items()]
        parts.append(("file", ("me.jpg", SELFIE, "image/jpeg")))
        assert (await client.post(URL, files=parts)).status_code == 200
    made = [row.address for row in await rows(ingest, audit.c.address)]
    assert made
    assert all(address.startswith("198.51.100.") for address in made)
    [session] = await rows(ingest, sessions.c.label)
    assert "Firefox" in session.label
    [user] = await rows(ingest, users.c.language)
    assert user.language == "fr"

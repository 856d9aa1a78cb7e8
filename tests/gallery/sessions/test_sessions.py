"""Logins begin, are shown to their owner, and end, for every service and every open stream."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import httpx
import pytest
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import delete, func, update

from libs.common import tasks
from libs.common.accounts.tokens import Tokens
from libs.common.database.tables import sessions, users
from libs.common.errors import NotAuthenticated
from libs.common.messaging.relay import Relay
from libs.common.web.auth import Role
from services.gallery.gallery import Gallery
from services.gallery.live import rights
from services.gallery.live.rights import end_logged_out
from services.gallery.sessions import repository
from services.gallery.sessions.sessions import end_sessions, issue_session
from tests.gallery.streams import open_stream
from tests.gallery.world import World
from tests.support.http_server import serving
from tests.support.kept_logins import keep_logins
from tests.support.locks import someone_waits
from tests.support.people import Person, bearer, session_of
from tests.support.polling import PATIENCE_SECONDS, eventually

PASSWORD = "Secret-Marmalade 12"
HASH = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


@pytest.fixture
async def relay(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Messages of committed changes go out, as they do where the service runs.

    They alone tell of an end: nothing is asked for anew, and nobody looks after open streams.
    """

    async def look_after_nobody(*_: object) -> None:
        pass

    keep_logins(world.app)
    monkeypatch.setattr(rights, "end_logged_out", look_after_nobody)
    running = asyncio.create_task(Relay(world.database, world.bus).run())
    yield
    await tasks.end(running)


async def logged_in(world: World, person: Person, user_agent: str = "") -> str:
    answer = await world.client.post(
        "/api/login",
        json={"username": person.name, "password": PASSWORD},
        headers={"User-Agent": user_agent},
    )
    world.client.cookies.clear()
    token: str = answer.json()["access_token"]
    return token


async def works(world: World, token: str) -> bool:
    # A route that asks nothing of the account itself.
    answer = await world.client.get("/api/sessions", headers=bearer(token))
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


async def ends(world: World, *tokens: str) -> None:
    async def have_ended() -> bool:
        return not any([await works(world, token) for token in tokens])

    await eventually(have_ended)


async def test_ones_own_logins_are_shown_and_those_alone(world: World) -> None:
    person, other = [await world.person(password_hash=HASH) for _ in range(2)]
    await logged_in(world, other)
    token = await logged_in(world, person, "Mozilla/5.0 (X11; Linux) Firefox/140.0")
    answer = await world.client.get("/api/sessions", headers=bearer(token))
    first, second = answer.json()
    assert (first["label"], first["is_current"]) == ("Firefox on Linux", True)
    assert (second["id"], second["is_current"]) == (str(session_of(person.id)), False)
    began, ends_at = (datetime.fromisoformat(first[key]) for key in ("created_at", "expires_at"))
    assert ends_at - began == timedelta(days=7)


async def test_an_expired_login_is_not_shown(world: World) -> None:
    person = await world.person(password_hash=HASH)
    await world.execute(update(sessions).values(expires_at=func.now()))
    token = await logged_in(world, person)
    answer = await world.client.get("/api/sessions", headers=bearer(token))
    assert [one["is_current"] for one in answer.json()] == [True]


@pytest.mark.usefixtures("relay")
async def test_a_logout_ends_this_login_and_its_cookie(world: World) -> None:
    person = await world.person(password_hash=HASH)
    token, stays = await logged_in(world, person), await logged_in(world, person)
    assert await works(world, token)
    answer = await world.client.post("/api/logout", headers=bearer(token))
    assert answer.json() == {"message": "You are logged out.", "ended": 1}
    assert 'access_token=""' in answer.headers["set-cookie"]
    await ends(world, token)
    assert await works(world, stays)


@pytest.mark.usefixtures("relay")
async def test_a_logout_everywhere_ends_all_of_ones_logins_and_nobody_elses(world: World) -> None:
    person, other = [await world.person(password_hash=HASH) for _ in range(2)]
    tokens = [await logged_in(world, person) for _ in range(3)]
    for token in tokens:
        assert await works(world, token)
    answer = await world.client.post("/api/logout", json={"all": True}, headers=bearer(tokens[0]))
    assert answer.json()["ended"] == 4
    await ends(world, *tokens, person.token)
    assert await works(world, other.token)


@pytest.mark.usefixtures("relay")
async def test_a_lost_device_is_logged_out(world: World) -> None:
    person, stranger = [await world.person(password_hash=HASH) for _ in range(2)]
    lost = await logged_in(world, person)
    assert await works(world, lost)
    others = str(session_of(stranger.id))
    for missing in (others, str(uuid.uuid4())):
        answer = await world.client.delete(f"/api/sessions/{missing}", headers=person.headers)
        assert answer.status_code == 404
    answer = await world.client.get("/api/sessions", headers=bearer(lost))
    lost_id = next(one["id"] for one in answer.json() if one["is_current"])
    answer = await world.client.delete(f"/api/sessions/{lost_id}", headers=person.headers)
    assert answer.status_code == 200
    await ends(world, lost)
    assert await works(world, stranger.token)
    assert await works(world, person.token)


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "Quokka-lantern 58"}])
@pytest.mark.usefixtures("relay")
async def test_a_photographer_who_is_locked_out_or_gets_another_password_is_out_at_once(
    world: World, change: dict[str, object]
) -> None:
    admin, photographer = await world.admin(), await world.photographer()
    assert await works(world, photographer.token)
    url = f"/api/admin/photographers/{photographer.id}"
    answer = await world.client.put(url, json={"username": "paula"}, headers=admin.headers)
    assert answer.status_code == 200
    assert await works(world, photographer.token)
    answer = await world.client.put(url, json=change, headers=admin.headers)
    assert answer.status_code == 200
    await ends(world, photographer.token)
    if "is_active" in change:
        await world.client.put(url, json={"is_active": True}, headers=admin.headers)
        assert not await works(world, photographer.token)


@pytest.mark.usefixtures("relay")
async def test_a_deleted_account_is_out_at_once(world: World) -> None:
    admin, deleted = await world.admin(), await world.admin()
    assert await works(world, deleted.token)
    answer = await world.client.delete(f"/api/admin/users/{deleted.id}", headers=admin.headers)
    assert answer.status_code == 200
    await ends(world, deleted.token)
    answer = await world.client.post(
        "/api/admin/create-admin",
        json={"username": "eve", "email": "eve@example.org", "password": PASSWORD},
        headers=deleted.headers,
    )
    assert answer.status_code == 401


async def test_of_many_logins_those_not_seen_for_longest_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "SESSIONS_OF_ONE", 2)
    person = await world.person(password_hash=HASH)
    await world.execute(update(sessions).values(last_seen_at=func.now() - timedelta(days=1)))
    tokens = [await logged_in(world, person) for _ in range(2)]
    assert [await works(world, token) for token in (*tokens, person.token)] == [True, True, False]
    assert [name for name, _ in await world.sent()] == ["account.changed"]


async def begin(world: World, person: Person) -> object:
    async with world.database.unit_of_work() as unit:
        return await issue_session(
            person.id,
            Role.PARTICIPANT,
            lifetime=timedelta(days=1),
            user_agent=None,
            tokens=world.app.state.tokens,
            unit=unit,
            password_hash=HASH,
        )


async def test_nobody_logs_in_by_a_password_that_is_changed_at_this_moment(world: World) -> None:
    person = await world.person(password_hash=HASH)
    async with world.database.unit_of_work() as change:
        await change.connection.execute(
            update(users).where(users.c.id == person.id).values(password_hash="-")
        )
        login = asyncio.create_task(begin(world, person))
        await eventually(lambda: someone_waits(world.database))
        await end_sessions(person.id, unit=change)
    with pytest.raises(NotAuthenticated):
        await login
    assert await world.rows(sessions) == []


async def test_whoever_logs_in_just_before_a_change_is_out_with_it(world: World) -> None:
    person = await world.person(password_hash=HASH)
    async with contextlib.AsyncExitStack() as stack:
        unit = await stack.enter_async_context(world.database.unit_of_work())
        await issue_session(
            person.id,
            Role.PARTICIPANT,
            lifetime=timedelta(days=1),
            user_agent=None,
            tokens=Tokens(world.app.state.signing_keys),
            unit=unit,
        )
        change = asyncio.create_task(change_password(world, person))
        await eventually(lambda: someone_waits(world.database))
        await stack.aclose()
        await change
    assert await world.rows(sessions) == []


async def change_password(world: World, person: Person) -> None:
    async with world.database.unit_of_work() as unit:
        await unit.connection.execute(
            update(users).where(users.c.id == person.id).values(password_hash="-")
        )
        await end_sessions(person.id, unit=unit)


async def test_the_session_that_is_to_stay_stays(world: World) -> None:
    person = await world.person(password_hash=HASH)
    await logged_in(world, person)
    async with world.database.unit_of_work() as unit:
        assert await end_sessions(person.id, besides=session_of(person.id), unit=unit) == 1
    assert await works(world, person.token)
    (name, body), *_ = await world.sent()
    assert (name, len(body["ended_sessions"])) == ("account.changed", 1)


async def test_expired_logins_are_deleted(world: World) -> None:
    stays, expired = await world.person(), await world.person()
    await world.execute(
        update(sessions)
        .where(sessions.c.user_id == expired.id)
        .values(expires_at=func.now() - timedelta(seconds=1))
    )
    async with world.database.unit_of_work() as unit:
        assert await repository.delete_expired(unit.connection, at_most=10) == 1
    assert [row["user_id"] for row in await world.rows(sessions)] == [stays.id]


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(world.app) as url,
        httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client,
    ):
        yield client


@pytest.mark.usefixtures("relay")
async def test_open_streams_end_with_their_login(world: World, client: httpx.AsyncClient) -> None:
    event_id = await world.event()
    person = await world.person(joined=event_id, password_hash=HASH)
    other = await world.person(joined=event_id)
    token = await logged_in(world, person)
    async with (
        open_stream(client, event_id, bearer(token)) as ended,
        open_stream(client, event_id, person.headers) as of_another_device,
        open_stream(client, event_id, other.headers) as of_another,
    ):
        await client.post("/api/logout", headers=bearer(token))
        await eventually(lambda: ended.has_ended)
        assert not of_another_device.has_ended
        await client.post("/api/logout", json={"all": True}, headers=person.headers)
        await eventually(lambda: of_another_device.has_ended)
        assert not of_another.has_ended


async def test_streams_end_where_no_message_tells_that_their_login_has_ended(
    world: World, client: httpx.AsyncClient
) -> None:
    event_id = await world.event()
    gone, stays = [await world.person(joined=event_id) for _ in range(2)]
    gallery: Gallery = world.app.state.gallery
    async with (
        open_stream(client, event_id, gone.headers) as ended,
        open_stream(client, event_id, stays.headers) as open_still,
    ):
        await world.execute(delete(sessions).where(sessions.c.user_id == gone.id))
        await end_logged_out(gallery.live, world.services_database)
        await eventually(lambda: ended.has_ended)
        assert not open_still.has_ended


async def test_a_login_that_ends_while_its_stream_opens_has_none(
    world: World, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_id = await world.event()
    person = await world.person(joined=event_id)
    gallery: Gallery = world.app.state.gallery
    require_room = gallery.live.require_room

    def ends_just_now(user_id: int) -> None:
        """As a message would, between the look at the token and the subscription."""
        require_room(user_id)
        world.app.state.accounts.sessions.forget(person.id)
        ended.set()

    ended = asyncio.Event()
    await world.client.get("/api/me", headers=person.headers)
    monkeypatch.setattr(gallery.live, "require_room", ends_just_now)
    monkeypatch.setattr(
        "services.gallery.live.routes.require_visible_event", _deleting(world, person)
    )
    async with open_stream(client, event_id, person.headers) as stream:
        await eventually(lambda: stream.has_ended)
    assert ended.is_set()
    assert stream.events == []


def _deleting(world: World, person: Person) -> object:
    async def delete_session(*_: object) -> None:
        await world.execute(delete(sessions).where(sessions.c.user_id == person.id))

    return delete_session

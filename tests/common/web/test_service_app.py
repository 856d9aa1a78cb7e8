import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from sqlalchemy import delete, func, select, update

from libs.common.accounts.accounts import Accounts
from libs.common.database.database import Database
from libs.common.database.tables import sessions, users
from libs.common.errors import Conflict, InvalidInput, NotFound, Unavailable
from libs.common.messaging.bus.protocol import Bus
from libs.common.messaging.messages import AccountChanged, AccountDeleted
from libs.common.resources import Resources
from libs.common.settings import CommonSettings
from libs.common.web.auth import Admin, CurrentPrincipal, Role
from libs.common.web.openapi import problems
from libs.common.web.service_app import Dependency, build_app
from tests.support.http_server import calling
from tests.support.kept_logins import keep_logins
from tests.support.logged import written_logs
from tests.support.people import Person
from tests.support.polling import eventually
from tests.support.postgres import Postgres
from tests.support.rows import Rows

ERRORS = {
    "invalid": (InvalidInput("send something else"), 400),
    "missing": (NotFound("Photo", 7), 404),
    "conflict": (Conflict("it is so already"), 409),
    "busy": (Unavailable("come back", retry_after_seconds=9), 503),
    "surprise": (ZeroDivisionError("a detail that is nobody's business"), 500),
}
router = APIRouter()


@router.get("/fails/{kind}", responses=problems(400, 404, 409))
async def fails(kind: str) -> None:
    raise ERRORS[kind][0]


@router.get("/whoami")
async def whoami(principal: CurrentPrincipal) -> int:
    return principal.user_id


@router.get("/admins")
async def admins(principal: Admin) -> int:
    return principal.user_id


@pytest.fixture
async def app(settings: CommonSettings) -> FastAPI:
    @asynccontextmanager
    async def start(_: FastAPI, __: Resources) -> AsyncIterator[None]:
        yield

    return build_app(
        "test",
        settings=settings,
        resources=None,
        routers=[router],
        start=start,
        needs={Dependency.DATABASE, Dependency.STORE},
        tells={Dependency.BUS},
    )


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(app) as client:
        yield client


@pytest.fixture
def rows(database: Database) -> Rows:
    return Rows(database)


@pytest.mark.parametrize("kind", ERRORS)
async def test_errors_become_their_status_and_one_sentence(
    client: httpx.AsyncClient, kind: str
) -> None:
    error, status = ERRORS[kind]
    answer = await client.get(f"/fails/{kind}")
    assert answer.status_code == status
    if status == 500:
        assert "business" not in answer.text
    else:
        assert answer.json() == {"detail": str(error)}
    assert answer.headers.get("Retry-After") == ("9" if kind == "busy" else None)


async def test_a_request_without_a_valid_token_is_asked_to_log_in(
    client: httpx.AsyncClient,
) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        answer = await client.get("/whoami", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_token_is_taken_from_the_header_or_from_the_cookie(
    client: httpx.AsyncClient, rows: Rows
) -> None:
    person = await rows.person()
    headers = {"Authorization": f"bearer {person.token}"}
    assert (await client.get("/whoami", headers=headers)).json() == person.id
    client.cookies.set("access_token", person.token)
    assert (await client.get("/whoami")).json() == person.id


async def test_a_role_that_is_not_asked_for_gets_403(client: httpx.AsyncClient, rows: Rows) -> None:
    for role, status in ((Role.PARTICIPANT, 403), (Role.PHOTOGRAPHER, 403), (Role.ADMIN, 200)):
        person = await rows.person(role)
        assert (await client.get("/admins", headers=person.headers)).status_code == status


ENDS: dict[str, Callable[[Rows, Person], Awaitable[None]]] = {
    "logged out": lambda rows, person: rows.execute(
        delete(sessions).where(sessions.c.user_id == person.id)
    ),
    "expired": lambda rows, person: rows.execute(
        update(sessions).where(sessions.c.user_id == person.id).values(expires_at=func.now())
    ),
    "deactivated": lambda rows, person: rows.execute(
        update(users).where(users.c.id == person.id).values(is_active=False)
    ),
    "of another role": lambda rows, person: rows.execute(
        update(users).where(users.c.id == person.id).values(user_type="admin")
    ),
    "another account of this id": lambda rows, person: rows.execute(
        update(users).where(users.c.id == person.id).values(subject=func.gen_random_uuid())
    ),
    "deleted": lambda rows, person: rows.delete(users, person.id),
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_token_is_as_good_as_the_rows_it_claims(
    client: httpx.AsyncClient, rows: Rows, end: str
) -> None:
    stays, ends = await rows.person(), await rows.person()
    await ENDS[end](rows, ends)
    answer = await client.get("/whoami", headers=ends.headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert (await client.get("/whoami", headers=stays.headers)).json() == stays.id


async def test_a_message_ends_what_was_known_of_an_account(
    client: httpx.AsyncClient, rows: Rows, app: FastAPI
) -> None:
    keep_logins(app)
    bus: Bus = app.state.resources.bus
    for tells in (
        lambda user_id: AccountChanged(user_id=user_id),
        lambda user_id: AccountDeleted(event_id=7, user_id=user_id),
    ):
        person, other = await rows.person(), await rows.person()
        for one in (person, other):
            assert await answers(client, one, 200)
            await rows.execute(update(users).where(users.c.id == one.id).values(is_active=False))
            assert await answers(client, one, 200), "it is asked at every request"
        await bus.publish(tells(person.id).outgoing())
        await eventually(partial(answers, client, person, 401))
        assert await answers(client, other, 200)


async def answers(client: httpx.AsyncClient, person: Person, status: int) -> bool:
    return (await client.get("/whoami", headers=person.headers)).status_code == status


async def test_without_the_database_a_known_login_serves_for_a_while_and_a_new_one_is_not_refused(
    client: httpx.AsyncClient, rows: Rows, postgres_faults: Postgres
) -> None:
    known, unknown = await rows.person(), await rows.person()
    assert await answers(client, known, 200)
    await asyncio.to_thread(postgres_faults.stop)
    assert await answers(client, unknown, 503)
    await eventually(lambda: answers(client, known, 503))
    await asyncio.to_thread(postgres_faults.start)
    await eventually(lambda: answers(client, known, 200))
    assert await answers(client, unknown, 200)


async def test_it_is_noted_coarsely_when_a_login_was_last_used(
    client: httpx.AsyncClient, rows: Rows, app: FastAPI
) -> None:
    used, unused, lately = [await rows.person() for _ in range(3)]
    long_ago = func.now() - timedelta(hours=1)
    for person in (used, unused):
        await rows.execute(
            update(sessions).where(sessions.c.user_id == person.id).values(last_seen_at=long_ago)
        )
    before = await last_seen(rows)
    for person in (used, lately):
        assert await answers(client, person, 200)
    accounts: Accounts = app.state.accounts
    await accounts.note_seen_once()
    after = await last_seen(rows)
    changed = {user_id for user_id in after if after[user_id] != before[user_id]}
    assert changed == {used.id}


async def last_seen(rows: Rows) -> dict[int, datetime]:
    async with rows.database.read() as connection:
        found = await connection.execute(select(sessions.c.user_id, sessions.c.last_seen_at))
        return {row.user_id: row.last_seen_at for row in found}


async def test_readiness_says_what_is_missing_and_comes_back_with_it(
    client: httpx.AsyncClient, postgres_faults: Postgres
) -> None:
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    await asyncio.to_thread(postgres_faults.stop)
    missing = await becomes(client, 503, database_is_ok=False)
    assert missing.json()["checks"]["store"] == "ok"
    assert (await client.get("/livez")).status_code == 200
    await asyncio.to_thread(postgres_faults.start)
    await becomes(client, 200, database_is_ok=True)


async def becomes(
    client: httpx.AsyncClient, status: int, *, database_is_ok: bool
) -> httpx.Response:
    """Each thing is looked at once a second, however many ask."""
    answers: list[httpx.Response] = []

    async def is_so() -> bool:
        answers.append(await client.get("/readyz"))
        is_ok = answers[-1].json()["checks"]["database"] == "ok"
        return answers[-1].status_code == status and is_ok is database_is_ok

    await eventually(is_so)
    return answers[-1]


async def test_requests_are_counted_by_route_and_get_an_id(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fails/missing", headers={"X-Request-ID": "a" * 32})
    assert answer.headers["X-Request-ID"]
    exposed = (await client.get("/metrics")).text
    assert 'route="/fails/{kind}",service="test",status="404"' in exposed


async def test_why_a_service_does_not_start_is_logged(settings: CommonSettings) -> None:
    def start(_: FastAPI, __: Resources) -> AbstractAsyncContextManager[None]:
        raise Unavailable("The models are not there.")

    app = build_app("test", settings=settings, resources=None, routers=[], start=start, needs=())
    with written_logs("console") as logged, pytest.raises(Unavailable):
        async with app.router.lifespan_context(app):
            raise AssertionError
    assert "service_failed" in logged()
    assert "Unavailable: The models are not there." in logged()

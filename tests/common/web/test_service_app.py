import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from libs.common.errors import Conflict, InvalidInput, NotFound, Unavailable
from libs.common.resources import Resources
from libs.common.settings import CommonSettings
from libs.common.web.auth import Admin, CurrentPrincipal, Role
from libs.common.web.service_app import Dependency, build_app
from tests.support.http_server import calling
from tests.support.people import bearer, issue_token
from tests.support.polling import eventually
from tests.support.postgres import Postgres

ERRORS = {
    "invalid": (InvalidInput("send something else"), 400),
    "missing": (NotFound("Photo", 7), 404),
    "conflict": (Conflict("it is so already"), 409),
    "busy": (Unavailable("come back", retry_after_seconds=9), 503),
    "surprise": (ZeroDivisionError("a detail that is nobody's business"), 500),
}
router = APIRouter()


@router.get("/fails/{kind}")
async def fails(kind: str) -> None:
    raise ERRORS[kind][0]


@router.get("/whoami")
async def whoami(principal: CurrentPrincipal) -> int:
    return principal.user_id


@router.get("/admins")
async def admins(principal: Admin) -> int:
    return principal.user_id


@pytest.fixture
async def client(settings: CommonSettings) -> AsyncIterator[httpx.AsyncClient]:
    @asynccontextmanager
    async def start(_: FastAPI, __: Resources) -> AsyncIterator[None]:
        yield

    app = build_app(
        "test",
        settings=settings,
        resources=None,
        routers=[router],
        start=start,
        needs={Dependency.DATABASE, Dependency.STORE},
        tells={Dependency.BUS},
    )
    async with calling(app) as client:
        yield client


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
    client: httpx.AsyncClient,
) -> None:
    token = issue_token(5, Role.PARTICIPANT)
    by_header = await client.get("/whoami", headers={"Authorization": f"bearer {token}"})
    assert by_header.json() == 5
    client.cookies.set("access_token", token)
    assert (await client.get("/whoami")).json() == 5


async def test_a_role_that_is_not_asked_for_gets_403(client: httpx.AsyncClient) -> None:
    for role, status in ((Role.PARTICIPANT, 403), (Role.PHOTOGRAPHER, 403), (Role.ADMIN, 200)):
        answer = await client.get("/admins", headers=bearer(issue_token(5, role)))
        assert answer.status_code == status


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

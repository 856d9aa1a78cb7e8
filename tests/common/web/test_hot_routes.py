"""A hot route answers what FastAPI would answer: each is asked for what it can be asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.routing import APIRoute

from libs.common.database.database import Database
from libs.common.errors import Gone, NotFound, TooManyRequests, Unavailable
from libs.common.resources import Resources
from libs.common.settings import CommonSettings
from libs.common.web.at_once import ReadyAnswer, ready
from libs.common.web.auth import CurrentPrincipal, Participant, Photographer, Role
from libs.common.web.compiled_endpoint import (
    KEPT_AT_MOST,
    MAX_KEPT_CHARACTERS,
    CompiledEndpoint,
    NotCompilable,
)
from libs.common.web.hot_routes import HotRoute
from libs.common.web.ids import PathId
from libs.common.web.service_app import ServiceApp, build_app
from tests.support.at_once import at_hand
from tests.support.http_server import serving
from tests.support.people import Person
from tests.support.polling import PATIENCE_SECONDS
from tests.support.rows import Rows
from tests.support.spans import recording_spans

ERRORS = {
    1: NotFound("Photo", 7),
    2: Gone("It is over."),
    3: TooManyRequests("Later.", retry_after_seconds=9),
    4: Unavailable("Come back.", retry_after_seconds=11),
    5: ZeroDivisionError("a detail that is nobody's business"),
    6: MemoryError(),
}
#: A request's id, which a gateway gives.
GIVEN = "0123456789abcdef0123456789abcdef"
router = APIRouter()


async def _doubled(request: Request, limit: int = 2) -> int:
    assert request.method == "GET"
    return 2 * limit


Doubled = Annotated[int, Depends(_doubled)]


async def _more(doubled: Doubled) -> int:
    return doubled + 1


@router.get("/mine")
async def mine(
    principal: Participant, doubled: Doubled, more: Annotated[int, Depends(_more)], word: str = "-"
) -> Response:
    return PlainTextResponse(f"{principal.user_id} {doubled} {more} {word}")


@router.get("/theirs/{one}")
async def theirs(one: PathId, _: Photographer) -> Response:
    if one in ERRORS:
        raise ERRORS[one]
    headers = {"Cache-Control": "private, max-age=5"}
    return Response(status_code=304, headers=headers) if one == 9 else PlainTextResponse("theirs")


@router.get("/objects/{key:path}")
@router.head("/objects/{key:path}", include_in_schema=False)
async def objects(key: str, request: Request) -> Response:
    return PlainTextResponse(f"{key} {sorted(request.path_params.items())}")


@router.get("/streams")
async def streams(principal: CurrentPrincipal) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        if principal.role is Role.PHOTOGRAPHER:
            raise ERRORS[5]
        yield b"two"

    return StreamingResponse(pieces())


def _at_hand(request: Request) -> ReadyAnswer | None:
    one = request.path_params["one"]
    if one == "left":
        return None
    if one == "surprise":
        raise ERRORS[5]
    if one == "missing":
        raise ERRORS[1]
    return ReadyAnswer(200, ((b"cache-control", b"private"),), [(b"etag", b'"at hand"')], b"ready")


@router.get("/ready/{one}")
@ready(by=_at_hand)
async def ready_or_not(one: str) -> Response:
    return PlainTextResponse(one)


@router.get("/wrong")
async def wrong() -> str:
    return "no Response"


#: Method, address, who asks, and headers besides.
REQUESTS: list[tuple[str, str, str, dict[str, str]]] = [
    ("GET", "/mine", "guest", {}),
    ("GET", "/mine?limit=7&word=a%20b", "guest", {"X-Request-ID": GIVEN}),
    ("GET", "/mine?limit=7&limit=8&other=1&word=", "guest", {"X-Request-ID": "no id"}),
    ("GET", "/mine?limit=", "guest", {}),
    ("GET", "/mine?limit=many", "guest", {}),
    ("GET", "/mine?limit=many", "nobody", {}),
    ("GET", "/mine", "nobody", {}),
    ("GET", "/mine", "stranger", {}),
    ("GET", "/mine", "photographer", {}),
    ("GET", "/mine/", "guest", {}),
    ("POST", "/mine", "guest", {}),
    ("HEAD", "/mine", "guest", {}),
    ("OPTIONS", "/mine", "guest", {}),
    *[("GET", f"/theirs/{one}", "photographer", {}) for one in (*ERRORS, 8, 9)],
    ("GET", "/theirs/one", "photographer", {}),
    ("GET", "/theirs/99999999999999999999", "photographer", {}),
    ("GET", "/theirs/8", "guest", {}),
    ("GET", "/objects/a/b%20c%2Fd", "nobody", {"X-Forwarded-Proto": "https"}),
    ("HEAD", "/objects/a", "nobody", {}),
    ("GET", "/objects/%FF", "nobody", {}),
    ("GET", "/objects/", "nobody", {}),
    ("GET", "/objects/a%0Ab", "nobody", {}),
    ("GET", "/streams", "guest", {}),
    ("GET", "/nothing", "guest", {}),
    ("GET", "/livez", "nobody", {}),
    ("GET", "/readyz", "nobody", {}),
]


@asynccontextmanager
async def app_of(
    settings: CommonSettings, *, hot: bool, name: str = "test"
) -> AsyncIterator[FastAPI]:
    @asynccontextmanager
    async def start(_: FastAPI, __: Resources) -> AsyncIterator[None]:
        yield

    app = build_app(
        name,
        settings=settings,
        resources=None,
        routers=[router],
        hot=[compilable] if hot else [],
        start=start,
        needs={},
    )
    async with app.router.lifespan_context(app):
        yield app


compilable = APIRouter()
compilable.routes.extend(
    route for route in router.routes if getattr(route, "name", None) != "wrong"
)


@pytest.fixture
async def callers(database: Database) -> dict[str, dict[str, str]]:
    rows = Rows(database)
    people: dict[str, Person] = {
        "guest": await rows.person(),
        "photographer": await rows.person(Role.PHOTOGRAPHER),
    }
    return {name: person.headers for name, person in people.items()} | {
        "nobody": {},
        "stranger": {"Authorization": "Bearer nonsense"},
    }


async def test_a_hot_route_answers_as_fastapi_would(
    settings: CommonSettings, callers: dict[str, dict[str, str]]
) -> None:
    async with app_of(settings, hot=True) as hot, app_of(settings, hot=False) as cold:
        for method, address, who, more in REQUESTS:
            seen = [await asked(app, method, address, callers[who] | more) for app in (hot, cold)]
            assert seen[0] == seen[1], f"{method} {address} of {who}"


async def asked(
    app: FastAPI, method: str, address: str, headers: dict[str, str]
) -> tuple[int, bytes, dict[str, str]]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.request(method, address, headers=headers)
    told = dict(answer.headers)
    request_id = told.pop("x-request-id")
    assert len(request_id) == 32
    if headers.get("X-Request-ID") == GIVEN:
        assert request_id == GIVEN
    return answer.status_code, answer.content, told


async def test_what_fails_within_an_answer_reaches_the_server_and_the_log(
    settings: CommonSettings, callers: dict[str, dict[str, str]]
) -> None:
    async with (
        app_of(settings, hot=True) as app,
        serving(app) as url,
        httpx.AsyncClient(
            base_url=url, headers=callers["photographer"], timeout=PATIENCE_SECONDS
        ) as client,
    ):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/streams")
        assert (await client.get("/theirs/8")).text == "theirs"


async def test_hot_routes_are_counted_by_their_template_and_leave_a_span(
    settings: CommonSettings, callers: dict[str, dict[str, str]]
) -> None:
    with recording_spans() as spans:
        async with app_of(settings, hot=True, name="counted") as app:
            for address in ("/theirs/1", "/theirs/8", "/livez", "/objects/secret"):
                await asked(app, "GET", address, callers["photographer"])
            exposed = (await asked(app, "GET", "/metrics", {}))[1].decode()
    assert 'route="/theirs/{one}",service="counted",status="404"} 1.0' in exposed
    assert 'findme_http_request_seconds_count{route="/theirs/{one}",service="counted"} 2.0' in (
        exposed
    )
    assert "secret" not in exposed
    named = [span.name for span in spans.all if span.name.startswith("GET")]
    assert named == ["GET /theirs/{one}", "GET /theirs/{one}", "GET /objects/{key:path}"]


async def test_what_is_at_hand_is_complete_and_counted_and_all_else_is_the_endpoints(
    settings: CommonSettings,
) -> None:
    async with app_of(settings, hot=True, name="ready") as app:
        assert isinstance(app, ServiceApp)
        # Until it was called the application has nothing at hand.
        assert at_hand(app, "/ready/1", {}) is None
        await asked(app, "GET", "/livez", {})
        found = at_hand(app, "/ready/1", {"X-Forwarded-Proto": "https"})
        assert found is not None
        status, told, body = found
        assert (status, body, told.pop("etag")) == (200, b"ready", '"at hand"')
        plain = (await asked(app, "GET", "/theirs/8", {}))[2]
        assert told.pop("vary") == "Authorization, Cookie"
        assert told.keys() == plain.keys() - {"content-length", "content-type", "www-authenticate"}
        assert told["cache-control"] == "private"
        for address in ("/ready/left", "/ready/missing", "/ready/surprise", "/theirs/8", "/none"):
            assert at_hand(app, address, {}) is None
        assert at_hand(app, "/ready/1", {}, method="POST") is None
        assert (await asked(app, "GET", "/ready/surprise", {}))[1] == b"surprise"
        with recording_spans():
            # An endpoint leaves a span.
            assert at_hand(app, "/ready/1", {}) is None
        exposed = (await asked(app, "GET", "/metrics", {}))[1].decode()
    assert 'route="/ready/{one}",service="ready",status="200"} 2.0' in exposed


async def test_an_id_that_came_with_the_request_is_that_of_what_is_at_hand(
    settings: CommonSettings,
) -> None:
    async with app_of(settings, hot=True) as app:
        assert isinstance(app, ServiceApp)
        await asked(app, "GET", "/livez", {})
        written = [
            app.at_once(
                {
                    "type": "http",
                    "method": "GET",
                    "scheme": "https",
                    "path": "/ready/1",
                    "headers": [(b"x-request-id", value)],
                }
            )
            for value in (GIVEN.encode(), b"no id")
        ]
    heads = [one.head for one in written if one is not None]
    assert [GIVEN.encode() in head for head in heads] == [True, False]


def _route(name: str, on: APIRouter = router) -> APIRoute:
    return next(one for one in on.routes if isinstance(one, APIRoute) and one.name == name)


async def test_an_endpoint_that_returns_no_response_is_found_out(
    settings: CommonSettings,
) -> None:
    with pytest.raises(NotCompilable, match="Response"):
        CompiledEndpoint(_route("wrong"))


def test_only_short_addresses_are_kept_and_only_so_many() -> None:
    endpoint = CompiledEndpoint(_route("mine"))
    long = f"word={MAX_KEPT_CHARACTERS * 'a'}".encode()
    found = endpoint.parameters({}, long)
    assert found is not None
    assert found[-1] == {"word": MAX_KEPT_CHARACTERS * "a"}
    assert endpoint.kept == 0
    for number in range(KEPT_AT_MOST + 10):
        assert endpoint.parameters({}, f"limit={number}".encode()) is not None
    assert endpoint.kept == KEPT_AT_MOST


def test_a_query_that_is_not_asked_for_is_not_kept() -> None:
    endpoint = CompiledEndpoint(_route("objects"))
    for number in range(10):
        endpoint.parameters({"key": "a"}, f"s={number}".encode())
    assert endpoint.kept == 1


def test_what_only_fastapi_does_is_refused_when_the_route_is_made() -> None:
    strange = APIRouter()

    def in_a_thread() -> int:
        return 1

    async def with_clean_up() -> AsyncIterator[int]:
        yield 1

    @strange.get("/thread")
    async def thread(_: Annotated[int, Depends(in_a_thread)]) -> Response:
        return Response()

    @strange.get("/clean-up")
    async def clean_up(_: Annotated[int, Depends(with_clean_up)]) -> Response:
        return Response()

    @strange.get("/body")
    async def body(_: dict[str, int]) -> Response:
        return Response()

    for name in ("thread", "clean_up", "body"):
        with pytest.raises(NotCompilable):
            CompiledEndpoint(_route(name, strange))


def test_what_changes_something_is_no_hot_route() -> None:
    with pytest.raises(NotCompilable, match="changes"):
        HotRoute(_route("objects"), "DELETE", service="test")

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from libs.common.web.middleware import TracingMiddleware
from tests.support.spans import Spans, recording_spans, trace_id

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def spans() -> Iterator[Spans]:
    with recording_spans() as spans:
        yield spans


@pytest.fixture
async def client(spans: Spans) -> AsyncIterator[httpx.AsyncClient]:
    del spans
    app = FastAPI()
    app.add_middleware(TracingMiddleware)

    @app.get("/livez")
    @app.get("/api/events/{event_id}/stream")
    @app.get("/api/image/{filename}")
    async def fine() -> str:
        return "fine"

    @app.get("/busy")
    async def busy() -> None:
        raise HTTPException(503)

    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://findme.test") as client:
        yield client


def only(spans: Spans) -> ReadableSpan:
    (span,) = spans.all
    return span


async def test_a_request_is_named_by_its_route_and_says_nothing_of_its_address(
    client: httpx.AsyncClient, spans: Spans
) -> None:
    await client.get("/api/image/secret.jpg?s=signature")
    span = only(spans)
    assert (span.name, span.kind) == ("GET /api/image/{filename}", SpanKind.SERVER)
    assert span.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/api/image/{filename}",
    }


async def test_an_address_that_matches_no_route_is_not_told(
    client: httpx.AsyncClient, spans: Spans
) -> None:
    await client.get("/wp-login.php")
    assert only(spans).name == "GET"
    assert "wp-login" not in only(spans).to_json()


@pytest.mark.parametrize(("path", "kind"), [("/busy", "503"), ("/broken", "ZeroDivisionError")])
async def test_our_errors_are_errors_of_the_span(
    client: httpx.AsyncClient, spans: Spans, path: str, kind: str
) -> None:
    await client.get(path)
    assert only(spans).status.status_code is StatusCode.ERROR
    assert (only(spans).attributes or {})["error.type"] == kind


@pytest.mark.parametrize("path", ["/livez", "/api/events/1/stream"])
async def test_what_watchers_ask_for_and_what_lasts_for_hours_is_not_traced(
    client: httpx.AsyncClient, spans: Spans, path: str
) -> None:
    await client.get(path)
    assert not spans.all


async def test_a_gateways_trace_is_resumed(client: httpx.AsyncClient, spans: Spans) -> None:
    await client.get("/busy", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    assert f"{trace_id(only(spans)):032x}" == TRACE

"""nginx itself, with the configuration of docker-compose.yml, in front of stand-ins."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from standalone.gateway_routes import HIDDEN, service_for
from tests.deploy.gateway.stub_services import CONTENT, Stub
from tests.support.http_server import serving
from tests.support.nginx import running_gateway
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.services import ServiceMissing

MEGABYTE = 1024 * 1024
UPLOAD_MB = 128
UPLOAD = "/api/photographer/events/7/upload-photos"
NOT_FOUND = {"detail": "Not Found"}
PATHS = (
    UPLOAD,
    f"{UPLOAD}-async",
    f"{UPLOAD}/",
    "/api/photographer/events/seven/upload-photos",
    "/api/photographer/events/7/photos",
    "/api/upload-selfie",
    "/api/validate-selfie",
    "/api/my-selfie",
    "/api/media/events/7/photos/a%2Fb%20c.jpg",
    "/api/photo/12",
    "/api/photo/12/faces",
    "/api/selfie/3",
    "/api/downloads/0b6d",
    "/api/downloads/0b6d/photos.zip",
    "/api/events/7/downloads",
    "/api/docs/ingest",
    "/api/docs/media/openapi.json",
    "/api/docs/gallery",
    "/api/openapi.json",
    "/api/admin/events/7/users",
    "/api/login",
    "/livez",
    "/readyz",
    "/api/a//b",
    "/",
    "/e/GALA2026/me",
    "/studio",
    "/wall/",
    "/start",
    "/service-worker.js",
    "/manifest.webmanifest",
    "/icons/192.png",
    "/_app/version.json",
)
NOT_FOR_THE_OUTSIDE = (
    "/internal/face-check",
    "/internal",
    "//internal/face-check",
    "/api/%2e%2e/internal/face-check",
    "/metrics",
    "/metrics/",
    "/metrics%0A",
    "/api/%2e%2e/metrics",
    "/docs",
    "/index.php",
    "/e%0A",
    "/enter",
    "/e/%2e%2e/internal/face-check",
    "/_app/immutable/%2e%2e/%2e%2e/metrics",
)

Stubs = dict[str, Stub]


@pytest.fixture
def stubs() -> Stubs:
    return {name: Stub(name) for name in ("ingest", "gallery", "media")}


@pytest.fixture
async def gateway(stubs: Stubs, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with AsyncExitStack() as stack:
        urls = {
            name: await stack.enter_async_context(serving(stub.app)) for name, stub in stubs.items()
        }
        try:
            url = stack.enter_context(running_gateway(urls, tmp_path))
        except ServiceMissing as error:
            pytest.skip(str(error))
        yield await stack.enter_async_context(
            httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS)
        )


async def test_each_path_reaches_the_service_of_the_table(gateway: httpx.AsyncClient) -> None:
    answers = {path: (await gateway.get(path, params={"cb": "1"})).json() for path in PATHS}
    assert {path: answer.get("service") for path, answer in answers.items()} == {
        path: service_for(path) for path in PATHS
    }
    assert {answer["path"] for answer in answers.values()} == set(PATHS)
    assert {answer["query"] for answer in answers.values()} == {"cb=1"}


async def test_what_is_not_for_the_outside_is_not_there(gateway: httpx.AsyncClient) -> None:
    answers = {path: await gateway.get(path) for path in NOT_FOR_THE_OUTSIDE}
    assert {
        path: (answer.status_code, answer.json()) for path, answer in answers.items()
    } == dict.fromkeys(NOT_FOR_THE_OUTSIDE, (404, NOT_FOUND))


async def test_the_table_has_nothing_internal() -> None:
    assert service_for("/internal/face-check") is None
    assert set(HIDDEN) == {"/metrics"}


async def test_a_large_upload_streams_through(
    gateway: httpx.AsyncClient, stubs: Stubs, tmp_path: Path
) -> None:
    """Ingest has read the beginning while the end is not sent yet, and nothing lies on disk."""
    half_sent, go_on = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        for number in range(UPLOAD_MB):
            if number == UPLOAD_MB // 2:
                half_sent.set()
                await go_on.wait()
            yield bytes(MEGABYTE)

    upload = asyncio.create_task(gateway.post(UPLOAD, content=body()))
    try:
        await half_sent.wait()
        # What is still on its way is in the sockets' buffers.
        await eventually(
            lambda: stubs["ingest"].received_bytes > (UPLOAD_MB // 2 - 8) * MEGABYTE,
            message=lambda: f"ingest has read {stubs['ingest'].received_bytes} bytes",
        )
        assert [path for path in (tmp_path / "nginx-body").rglob("*") if path.is_file()] == []
    finally:
        go_on.set()
        answer = await upload
    assert answer.status_code == 200
    assert stubs["ingest"].received_bytes == UPLOAD_MB * MEGABYTE


async def test_the_answer_to_an_upload_that_is_refused_at_once_arrives(
    gateway: httpx.AsyncClient,
) -> None:
    answer = await gateway.post("/api/login", content=bytes(3 * MEGABYTE))
    assert answer.status_code == 413
    assert "larger" in answer.json()["detail"]


async def test_a_live_event_arrives_at_once(gateway: httpx.AsyncClient, stubs: Stubs) -> None:
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        gateway.stream("GET", "/api/events/1/stream") as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        for text in ("first", "second", ""):
            stubs["gallery"].events.put_nowait(text)
            while text and await anext(lines) != f"data: {text}":
                pass


async def test_ranges_heads_and_tags_pass(gateway: httpx.AsyncClient) -> None:
    part = await gateway.get("/api/image/a.jpg", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, CONTENT[100:200])
    head = await gateway.head("/api/image/a.jpg")
    assert head.headers["content-length"] == str(len(CONTENT))
    assert (head.headers["etag"], head.headers["x-service"]) == ('"1"', "media")
    whole = await gateway.get("/api/image/a.jpg")
    assert whole.content == CONTENT


async def test_services_learn_how_they_were_called(gateway: httpx.AsyncClient) -> None:
    plain = (await gateway.get("/api/me", headers={"Host": "findme.example"})).json()["headers"]
    assert (plain["host"], plain["x-forwarded-proto"]) == ("findme.example", "http")
    outer = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7", "X-Request-ID": "r1"}
    behind_tls = (await gateway.get("/api/me", headers=outer)).json()["headers"]
    assert behind_tls["x-forwarded-proto"] == "https"
    # The services take the first address for the caller's, so no caller may put one there.
    assert behind_tls["x-forwarded-for"] == "127.0.0.1"
    assert behind_tls["x-request-id"] == "r1"


async def test_a_service_that_is_away_is_said_so(tmp_path: Path) -> None:
    nowhere = dict.fromkeys(("ingest", "gallery", "media"), "http://127.0.0.1:9")
    try:
        with running_gateway(nowhere, tmp_path) as url:
            async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client:
                answer = await client.get("/api/me")
    except ServiceMissing as error:
        pytest.skip(str(error))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    # As on answers of the services.
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "Try again" in answer.json()["detail"]

"""Caddy passes on what the table of routes has, and nothing of what is not for the outside."""

import asyncio
import os
import re
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from standalone.gateway_routes import HIDDEN, service_for
from tests.deploy.gateway.test_gateway import PATHS
from tests.support.http_server import serving
from tests.support.polling import PATIENCE_SECONDS
from tests.support.services import GuardedProcess, ServiceMissing, free_port

CADDYFILE = Path(__file__).parents[3] / "deploy" / "caddy" / "Caddyfile"
PAGES = ("/", "/e/GALA2026", "/_app/immutable/a.js")


def test_what_is_hidden_at_other_gateways_is_hidden_here() -> None:
    text = CADDYFILE.read_text()
    for path in (*HIDDEN, "/internal/*"):
        assert re.search(rf"^\trespond {re.escape(path)} 404$", text, re.MULTILINE), path


async def echo(request: Request) -> JSONResponse:
    return JSONResponse(
        {
            "path": request.scope["raw_path"].decode(),
            "proto": request.headers.get("x-forwarded-proto"),
            "for": request.headers.get("x-forwarded-for"),
        }
    )


async def stream(_: Request) -> StreamingResponse:
    async def forever() -> AsyncIterator[str]:
        yield "data: first\n\n"
        await asyncio.Event().wait()

    return StreamingResponse(forever(), media_type="text/event-stream")


UPSTREAM = Starlette(routes=[Route("/api/events/3/stream", stream), Route("/{path:path}", echo)])


@contextmanager
def running_caddy(upstream: str, folder: Path) -> Iterator[str]:
    """Run Caddy with the real file, without TLS, before a service anywhere; yields its URL."""
    caddy = shutil.which("caddy")
    if caddy is None:
        raise ServiceMissing("Caddy is not installed: apt-get install caddy")
    url = f"http://127.0.0.1:{free_port()}"
    process = GuardedProcess(
        [caddy, "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"],
        log=folder / "caddy.log",
        env=os.environ
        | {
            "FINDME_HOST": url,
            "FINDME_UPSTREAM": upstream.removeprefix("http://"),
            "CADDY_ADMIN": f"unix/{folder}/admin.sock",
            "XDG_CONFIG_HOME": str(folder),
            "XDG_DATA_HOME": str(folder),
        },
    )
    try:
        process.wait_until(lambda: listens(int(url.rpartition(":")[2])), what="Caddy")
        yield url
    finally:
        process.stop()


def listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


async def test_all_that_services_answer_passes_and_nothing_else(tmp_path: Path) -> None:
    async with serving(UPSTREAM) as upstream:
        try:
            with running_caddy(upstream, tmp_path) as url:
                await pass_through(url)
        except ServiceMissing as missing:
            pytest.skip(str(missing))


async def pass_through(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as guest:
        for path in (*filter(service_for, PATHS), *PAGES):
            answer = await guest.get(path, headers={"X-Forwarded-For": "203.0.113.9"})
            assert answer.json()["path"] == path
            # Nobody's own word of who they are is believed.
            assert answer.json()["for"] == "127.0.0.1"
            assert answer.json()["proto"] == "http"
        for path in (*HIDDEN, "/internal/face-check"):
            assert (await guest.get(path)).status_code == 404
        async with guest.stream("GET", "/api/events/3/stream") as live:
            async for line in live.aiter_lines():
                assert line == "data: first"
                break

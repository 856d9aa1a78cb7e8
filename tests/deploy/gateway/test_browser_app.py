"""The browser app by way of Compose's gateway: nginx itself, before the gallery's own routes."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from services.gallery.browser_app.files import BUILT, CLIENT_ROUTES, HASHED, has_pages, load_pages
from services.gallery.browser_app.pages_route import PagesRoute
from standalone.gateway_routes import service_for
from tests.support.http_server import serving
from tests.support.nginx import running_gateway
from tests.support.polling import PATIENCE_SECONDS
from tests.support.services import ServiceMissing

SCRIPT = b"console.log('FindMe');" * 100
NAME = f"{HASHED}boot.abc.js"
WANTED = ("content-security-policy", "cache-control", "content-type", "etag", "vary")


class CountedGallery:
    """The gallery's pages, and how often each is asked for."""

    def __init__(self, built: Path) -> None:
        self.asked: Counter[str] = Counter()
        self._app = Starlette(routes=[PagesRoute(load_pages(built))])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked[scope["path"]] += 1
        await self._app(scope, receive, send)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder as a build leaves it. Coded files differ, so that a test sees which one it got."""
    folder = tmp_path / "build"
    script = folder / NAME.lstrip("/")
    script.parent.mkdir(parents=True)
    (folder / "index.html").write_bytes(b"<!doctype html><title>FindMe</title>")
    (folder / "service-worker.js").write_bytes(SCRIPT)
    script.write_bytes(SCRIPT)
    script.with_name(f"{script.name}.gz").write_bytes(b"in gzip")
    script.with_name(f"{script.name}.br").write_bytes(b"in brotli")
    return folder


@asynccontextmanager
async def opened(gallery: CountedGallery, folder: Path) -> AsyncIterator[tuple[str, str]]:
    """The addresses of the gateway, and of the gallery itself."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(gallery))
        urls = dict.fromkeys(("ingest", "gallery", "media"), url)
        try:
            yield stack.enter_context(running_gateway(urls, folder / "gateway")), url
        except ServiceMissing as error:
            pytest.skip(str(error))


async def raw(client: httpx.AsyncClient, url: str, coding: str) -> tuple[httpx.Response, bytes]:
    """An answer, and its bytes as they came."""
    async with client.stream("GET", url, headers={"Accept-Encoding": coding}) as answer:
        return answer, b"".join([piece async for piece in answer.aiter_raw()])


async def test_files_come_in_the_best_coding_and_hashed_ones_from_the_gateway(
    built: Path, tmp_path: Path
) -> None:
    gallery = CountedGallery(built)
    async with (
        opened(gallery, tmp_path) as (gateway, own),
        httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client,
    ):
        for _ in range(2):
            for coding, body in {
                "gzip, deflate, br, zstd": b"in brotli",
                "gzip": b"in gzip",
                "br;q=0, gzip;q=0.5": b"in gzip",
                "br;q=0.0,gzip;q=0": SCRIPT,
                "identity": SCRIPT,
            }.items():
                assert (await raw(client, gateway + NAME, coding))[1] == body, coding
        # Once in each coding.
        assert gallery.asked == {NAME: 3}
        for path in ("/", "/e/GALA2026", "/service-worker.js", NAME):
            by_gateway, body = await raw(client, gateway + path, "identity")
            itself, same = await raw(client, own + path, "identity")
            assert body == same
            assert by_gateway.status_code == itself.status_code == 200
            assert {name: by_gateway.headers.get(name) for name in WANTED} == {
                name: itself.headers.get(name) for name in WANTED
            }
        # A new release's must be seen at once.
        assert gallery.asked["/"] == 2
        known = {
            "Accept-Encoding": "br",
            "If-None-Match": (await raw(client, gateway + NAME, "br"))[0].headers["ETag"],
        }
        assert (await client.get(gateway + NAME, headers=known)).status_code == 304


async def test_a_file_that_is_not_there_yet_is_found_once_it_is(
    built: Path, tmp_path: Path
) -> None:
    """During an upgrade the new page may name what the old gallery has not got."""
    gallery = CountedGallery(built)
    gone = f"{HASHED}gone.js"
    async with (
        opened(gallery, tmp_path) as (gateway, _),
        httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client,
    ):
        answers = [await client.get(gateway + gone) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert gallery.asked[gone] == 2


def test_gateways_pass_on_every_page_and_file() -> None:
    assert {service_for(f"/{page}/x") for page in CLIENT_ROUTES} == {"gallery"}
    assert {service_for(f"/{page}") for page in CLIENT_ROUTES} == {"gallery"}
    if not has_pages(BUILT):
        pytest.skip("the browser app is not built: `make web`")
    files = [f"/{path.relative_to(BUILT)}" for path in BUILT.rglob("[!.]*") if path.is_file()]
    asked_for = [path for path in files if not path.endswith((".br", ".gz", "/index.html"))]
    assert {path for path in asked_for if service_for(path) != "gallery"} == set()

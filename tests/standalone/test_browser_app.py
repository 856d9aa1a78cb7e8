"""The browser app's files as they are served, over real sockets."""

import base64
import gzip
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from demo.server import running_server
from services.gallery.browser_app.files import is_client_route
from tests.support.polling import PATIENCE_SECONDS

INLINE = "\n  let place = 'café';\n".encode()
SHELL = (
    b"<!doctype html><title>FindMe</title><script src='/_app/immutable/boot.abc.js'></script>"
    b"<script>" + INLINE + b"</script>"
)
SCRIPT = b"console.log('FindMe');" * 100
HASHED = "/_app/immutable/boot.abc.js"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a build leaves it. Coded files differ, so that a test sees which one it got."""
    folder = tmp_path_factory.mktemp("build")
    script = folder / HASHED.lstrip("/")
    script.parent.mkdir(parents=True)
    (folder / "index.html").write_bytes(SHELL)
    (folder / "index.html.gz").write_bytes(gzip.compress(SHELL))
    (folder / "icon.svg").write_bytes(b"<svg/>")
    (folder / "service-worker.js").write_bytes(SCRIPT)
    script.write_bytes(SCRIPT)
    script.with_name(script.name + ".gz").write_bytes(gzip.compress(SCRIPT))
    script.with_name(script.name + ".br").write_bytes(b"in brotli")
    return folder


@contextmanager
def serving(data_dir: Path, web_dir: Path) -> Iterator[tuple[httpx.Client, Path]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEB_DIR", str(web_dir))
        with (
            running_server(data_dir) as server,
            httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as client,
        ):
            yield client, server.log


def test_the_pages_are_served_beside_the_api(data_dir: Path, built: Path) -> None:
    with serving(data_dir, built) as (client, _):
        for path in ("/", "/e/GALA2026", "/e/GALA2026/me"):
            shell = client.get(path)
            assert (shell.status_code, shell.content) == (200, SHELL)
            assert shell.headers["Content-Type"] == "text/html; charset=utf-8"
            assert shell.headers["Cache-Control"] == "no-cache"
        policy = dict(
            directive.strip().split(" ", 1)
            for directive in shell.headers["Content-Security-Policy"].split(";")
        )
        assert policy["default-src"] == "'none'"
        assert policy["style-src"] == policy["connect-src"] == "'self'"
        # Files, and what the page was built with; nothing else that might get into it.
        digest = base64.b64encode(hashlib.sha256(INLINE).digest()).decode()
        assert policy["script-src"] == f"'self' 'sha256-{digest}'"
        assert "http" not in shell.headers["Content-Security-Policy"]
        assert shell.headers["X-Content-Type-Options"] == "nosniff"
        assert "camera=(self)" in shell.headers["Permissions-Policy"]
        worker = client.get("/service-worker.js")
        assert worker.headers["Cache-Control"] == "no-cache"
        # It asks for what pages ask for.
        assert "connect-src 'self'" in worker.headers["Content-Security-Policy"]

        for accepted, coding in {
            "gzip, deflate, br, zstd": "br",
            "gzip": "gzip",
            "br;q=0, gzip": "gzip",
            "identity": None,
        }.items():
            with client.stream("GET", HASHED, headers={"Accept-Encoding": accepted}) as script:
                raw = b"".join(script.iter_raw())
            assert script.headers.get("Content-Encoding") == coding
            expected = {"br": b"in brotli", None: SCRIPT}.get(coding)
            assert (gzip.decompress(raw) if expected is None else raw) == (expected or SCRIPT)
            assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert script.headers["Content-Type"].startswith("text/javascript")
            assert script.headers["Vary"] == "Accept-Encoding"

        tag = client.get("/").headers["ETag"]
        known = client.get("/", headers={"If-None-Match": tag})
        assert (known.status_code, known.content) == (304, b"")
        head = client.head("/", headers={"Accept-Encoding": "identity"})
        assert (head.headers["Content-Length"], head.content) == (str(len(SHELL)), b"")
        assert client.post("/").status_code == 405

        # A page that there is none of is a page for people, and none for programs.
        missing = client.get("/nowhere", headers={"Accept": "text/html"})
        assert (missing.status_code, missing.content) == (404, SHELL)
        for path in ("/nowhere", "/_app/immutable/gone.js", "/../pyproject.toml", "/%2e%2e/x"):
            assert client.get(path, headers={"Accept": "*/*"}).status_code == 404, path
        script_gone = client.get("/_app/immutable/gone.js", headers={"Accept": "text/html"})
        assert script_gone.content != SHELL

        assert client.get("/api/nowhere").json() == {"detail": "Not Found"}
        assert client.get("/api/consent").status_code == 200
        assert client.get("/livez").status_code == 200


def test_without_a_build_the_log_says_so_and_the_api_goes_on(
    data_dir: Path, tmp_path: Path
) -> None:
    with serving(data_dir, tmp_path) as (client, log):
        assert "`make web` builds it" in log.read_text()
        door = client.get("/")
        assert (door.status_code, door.headers["Location"]) == (307, "/api/docs/gallery")
        assert client.get("/e/GALA2026").status_code == 404
        assert client.get("/api/consent").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/", "/e", "/e/GALA2026", "/e/GALA2026/me", "/studio", "/wall", "/admin/letters", "/start"],
)
def test_client_routes_are_known(path: str) -> None:
    assert is_client_route(path)


@pytest.mark.parametrize(
    "path", ["/api", "/api/me", "/elsewhere", "/metrics", "/icon.svg", "/studios", "*", ""]
)
def test_other_paths_are_none(path: str) -> None:
    assert not is_client_route(path)

"""The browser app's built files: read once at the start, sent as they were compressed in advance.

`make web` builds them. They are small, a megabyte in all, so that memory holds them; a newer build
is served from the next start on.
"""

import base64
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

#: Where `make web` puts them, in a checkout.
BUILT: Final = Path(__file__).parents[3] / "web" / "build"
SHELL: Final = "/index.html"
#: The browser app draws what is below these: guests' pages, the studio, walls, the admin's pages,
#: and the first start. Gateways pass on these and its files alone (`standalone/gateway_routes.py`).
CLIENT_ROUTES: Final = frozenset({"e", "studio", "wall", "admin", "start"})
#: Codings of the files beside each file, the best first.
CODINGS: Final = {"br": ".br", "gzip": ".gz"}
#: What is below it has the hash of its content in its name.
HASHED: Final = "/_app/immutable/"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_AN_HOUR: Final = "public, max-age=3600"
_ASK_AGAIN: Final = "no-cache"
#: A page loads nothing that is not ours, and runs no script but files and those that it was built
#: with, each by its hash. Pictures are drawn as `data:` (placeholders) and `blob:` (a selfie before
#: it is sent).
_POLICY: Final = (
    "default-src 'none'; script-src 'self'{hashes}; style-src 'self'; connect-src 'self';"
    " img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; manifest-src 'self';"
    " worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_INLINE_SCRIPT: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_OF_PAGES: Final = {
    # The camera for selfies; nothing else of what browsers can do is asked for.
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

#: The service worker, which asks on behalf of pages; without a policy of its own it would get that
#: of answers, which may ask for nothing.
WORKER: Final = "/service-worker.js"
_OF_WORKER: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'"
}

mimetypes.add_type("application/manifest+json", ".webmanifest")
mimetypes.add_type("text/javascript", ".js")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """A file as it is sent: its bytes in each coding that there is ("identity" always)."""

    media_type: str
    caching: str
    tag: str
    #: What it says besides of what browsers may do with it.
    headers: Mapping[str, str]
    bodies: Mapping[str, bytes] = field(repr=False)

    def response(self, request: Headers, *, status: int = 200) -> Response:
        """Return the answer to a request with these headers."""
        coding = _best_coding(request.get("accept-encoding", ""), self.bodies)
        tag = f'"{self.tag}"' if coding == "identity" else f'"{self.tag}-{coding}"'
        headers = {"Cache-Control": self.caching, "ETag": tag, "Vary": "Accept-Encoding"}
        headers |= self.headers
        if status == 200 and _is_known(tag, request.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        if coding != "identity":
            headers["Content-Encoding"] = coding
        return Response(self.bodies[coding], status, headers, media_type=self.media_type)


class Pages:
    """Answers GET and HEAD with built files; client routes with the shell that draws them."""

    def __init__(self, files: Mapping[str, BuiltFile]) -> None:
        """`files` by path; the shell is among them."""
        self._files = files

    def __contains__(self, path: str) -> bool:
        """Whether it is the path of a file."""
        return path in self._files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._response(scope)(scope, receive, send)

    def _response(self, scope: Scope) -> Response:
        if scope["method"] not in {"GET", "HEAD"}:
            return Response(status_code=405, headers={"Allow": "GET, HEAD"})
        headers, path = Headers(scope=scope), scope["path"]
        if is_client_route(path):
            return self._files[SHELL].response(headers)
        found = self._files.get(path)
        if found is not None:
            return found.response(headers)
        if path.startswith("/_app/") or "text/html" not in headers.get("accept", ""):
            return Response("There is nothing here.\n", 404, media_type="text/plain")
        # The shell says so in the reader's language, and leads back.
        return self._files[SHELL].response(headers, status=404)


def is_client_route(path: str) -> bool:
    """Whether the browser app draws this path."""
    first = path.removeprefix("/").partition("/")[0]
    return path == "/" or (path.startswith("/") and first in CLIENT_ROUTES)


def has_pages(folder: Path) -> bool:
    """Whether the browser app was built there."""
    return (folder / SHELL.lstrip("/")).is_file()


def load_pages(folder: Path) -> Pages | None:
    """Return the built pages; None, with a line in the log, where there are none."""
    if not has_pages(folder):
        log.warning(
            "no_pages",
            folder=folder,
            reason="the browser app is not built: `make web` builds it, the API works without",
        )
        return None
    coded = tuple(CODINGS.values())
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix not in coded)
    return Pages({f"/{path.relative_to(folder).as_posix()}": _read(path, folder) for path in paths})


def _read(path: Path, folder: Path) -> BuiltFile:
    name = f"/{path.relative_to(folder).as_posix()}"
    body = path.read_bytes()
    bodies = {"identity": body}
    for coding, suffix in CODINGS.items():
        beside = path.with_name(path.name + suffix)
        if beside.is_file():
            bodies[coding] = beside.read_bytes()
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if name.startswith(HASHED):
        caching = _FOR_EVER
    else:
        caching = _ASK_AGAIN if media_type in {"text/html", "text/javascript"} else _AN_HOUR
    said: Mapping[str, str] = _OF_WORKER if name == WORKER else {}
    if media_type == "text/html":
        said = {"Content-Security-Policy": policy(body), **_OF_PAGES}
    return BuiltFile(media_type, caching, hashlib.sha256(body).hexdigest()[:32], said, bodies)


def policy(page: bytes) -> str:
    """Return the content security policy of a page as it was built."""
    digests = (hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(page))
    hashes = (f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return _POLICY.format(hashes="".join(hashes))


def _best_coding(accepted: str, bodies: Mapping[str, bytes]) -> str:
    """Return the best coding that the client takes: `q=0` refuses one (RFC 9110, 12.5.3)."""
    takes = {}
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        takes[name.strip()] = weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return next((name for name in CODINGS if name in bodies and takes.get(name)), "identity")


def _is_known(tag: str, known: str) -> bool:
    return tag in (one.strip().removeprefix("W/") for one in known.split(","))

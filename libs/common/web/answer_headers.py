"""What every answer tells browsers, unless its route says otherwise.

Plain ASGI and one pass over an answer's headers: each thumbnail goes through here.
"""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Header = tuple[bytes, bytes]
#: What is to be added to an answer to this request, which has these headers.
MissingHeaders = Callable[[Scope, dict[bytes, bytes]], list[Header]]

#: An answer is no page: whatever it holds, a browser runs, frames and loads nothing for it.
_ALWAYS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    # Addresses of photos are capabilities.
    (b"referrer-policy", b"same-origin"),
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
)
_NO_STORE: Header = (b"cache-control", b"no-store")
#: What a browser keeps for one person must not be shown to the next one who logs in there.
_BY_CALLER: Header = (b"vary", b"Authorization, Cookie")
#: Whoever has such an address may see what is there: the caller makes no difference, and a new
#: login must not have all thumbnails fetched anew.
_SIGNED = "/api/media/"


class AnswerHeaders:
    """Adds what is missing; what a route has set stays as it is."""

    def __init__(self, app: ASGIApp, *, hsts_seconds: int) -> None:
        """Browsers that came by TLS come by nothing else for `hsts_seconds`, if any."""
        self._app = app
        self._hsts: Header | None = None
        if hsts_seconds:
            self._hsts = (b"strict-transport-security", b"max-age=%d" % hsts_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                headers += self.missing(scope, dict(headers))
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, completed)

    def missing(self, scope: Scope, present: dict[bytes, bytes]) -> list[Header]:
        """Return what an answer to this request, which has these headers, is to say besides."""
        missing = [header for header in _ALWAYS if header[0] not in present]
        caching = present.get(b"cache-control")
        if caching is None:
            missing.append(_NO_STORE)
        elif b"private" in caching and not scope["path"].startswith(_SIGNED):
            vary = present.get(b"vary", b"").lower()
            if b"authorization" not in vary or b"cookie" not in vary:
                missing.append(_BY_CALLER)
        if self._hsts is not None and scope.get("scheme") == "https":
            missing.append(self._hsts)
        return missing

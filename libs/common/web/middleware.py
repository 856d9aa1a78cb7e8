"""What is measured of every request, its span when tracing is on, and where it came from.

All are plain ASGI, so that streamed answers are neither buffered nor cut short.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry.trace import SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.common.database.audit import caller_address
from libs.common.telemetry import tracing
from libs.common.telemetry.metrics import HTTP_REQUESTS, HTTP_SECONDS

#: Times of these say nothing of speed: they stay open as long as the client likes.
UNTIMED = frozenset({"/api/events/{event_id}/stream"})
#: Asked for every few seconds by those who watch.
_UNTRACED = frozenset({"/livez", "/readyz", "/metrics"})
_LIVE_STREAM = "/stream"
_SERVER_ERROR = 500


class MetricsMiddleware:
    """Counts and times every request by its route's template."""

    def __init__(self, app: ASGIApp, *, service: str) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        started = time.perf_counter()

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observe)
        finally:
            # Paths that match no route share one label, or a scanner would fill the memory.
            route = getattr(scope.get("route"), "path", "unmatched")
            HTTP_REQUESTS.labels(self._service, scope["method"], route, status).inc()
            if route not in UNTIMED:
                HTTP_SECONDS.labels(self._service, route).observe(time.perf_counter() - started)


class TracingMiddleware:
    """A span for each request, when tracing is on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not tracing.is_on() or scope["type"] != "http" or is_untraced(scope["path"]):
            await self._app(scope, receive, send)
            return
        with request_span(scope) as observe_status:

            async def observe(message: Message) -> None:
                if message["type"] == "http.response.start":
                    observe_status(message["status"])
                await send(message)

            await self._app(scope, receive, observe)


@contextmanager
def request_span(scope: Scope) -> Iterator[Callable[[int], None]]:
    """A span for the block, which answers the request; yield what is to be told its status.

    It is named by its route's template: addresses hold filenames, ids and signatures.
    """
    method = scope["method"]
    with tracing.continued(method, _came_with(scope), SpanKind.SERVER, method=method) as span:

        def observe(status: int) -> None:
            tracing.set_attributes(span, status=status)
            if status >= _SERVER_ERROR:
                tracing.set_failed(span, str(status))

        try:
            yield observe
        finally:
            route = getattr(scope.get("route"), "path", None)
            if route is not None:
                span.update_name(f"{method} {route}")
                tracing.set_attributes(span, route=route)


class CallerMiddleware:
    """Lets what a request does be recorded with the address that it came from."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Behind a proxy that is trusted it is the proxy's client already (see serve.py).
        client = scope.get("client")
        token = caller_address.set(client[0] if client else None)
        try:
            await self._app(scope, receive, send)
        finally:
            caller_address.reset(token)


def is_untraced(path: str) -> bool:
    """Whether requests of this path leave no span."""
    # A live stream's span would end hours later.
    return path in _UNTRACED or path.endswith(_LIVE_STREAM)


def _came_with(scope: Scope) -> dict[str, str]:
    wanted = (tracing.TRACEPARENT.encode(), tracing.TRACESTATE.encode())
    return {
        name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in wanted
    }

"""What is measured of every request, and its span when tracing is on.

Both are plain ASGI, so that streamed answers are neither buffered nor cut short.
"""

import time

from opentelemetry.trace import SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.common.telemetry import tracing
from libs.common.telemetry.metrics import HTTP_REQUESTS, HTTP_SECONDS

#: Times of these say nothing of speed: they stay open as long as the client likes.
_UNTIMED = frozenset({"/api/events/{event_id}/stream"})
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
            if route not in _UNTIMED:
                HTTP_SECONDS.labels(self._service, route).observe(time.perf_counter() - started)


class TracingMiddleware:
    """Names a span by its route's template: addresses hold filenames, ids and signatures."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not tracing.is_on() or scope["type"] != "http" or _is_untraced(scope["path"]):
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        with tracing.continued(method, _came_with(scope), SpanKind.SERVER, method=method) as span:

            async def observe(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status = message["status"]
                    tracing.set_attributes(span, status=status)
                    if status >= _SERVER_ERROR:
                        tracing.set_failed(span, str(status))
                await send(message)

            try:
                await self._app(scope, receive, observe)
            finally:
                route = getattr(scope.get("route"), "path", None)
                if route is not None:
                    span.update_name(f"{method} {route}")
                    tracing.set_attributes(span, route=route)


def _is_untraced(path: str) -> bool:
    # A live stream's span would end hours later.
    return path in _UNTRACED or path.endswith(_LIVE_STREAM)


def _came_with(scope: Scope) -> dict[str, str]:
    wanted = (tracing.TRACEPARENT.encode(), tracing.TRACESTATE.encode())
    return {
        name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in wanted
    }

"""Counts and times every request by its route's template."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.common.telemetry.metrics import HTTP_REQUESTS, HTTP_SECONDS

#: Times of these say nothing of speed: they stay open as long as the client likes.
_UNTIMED = frozenset({"/api/events/{event_id}/stream"})


class MetricsMiddleware:
    """Plain ASGI, so that streamed answers are neither buffered nor cut short."""

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

"""Routes that are asked for most, answered before FastAPI: lists, signed objects, health.

They are declared as all others are, and their declaration is what is called (`compiled_endpoint`).
What lies between the server and an endpoint is one function here: the request's id, metrics by the
route's template, a span when tracing is on, the table of errors, and the headers of every answer.
A request that no hot route answers, or whose parameters are not as declared, goes on to FastAPI,
which says what is wrong with it.

They change nothing, so whoever asks for how long and from where a body may come, and which address
a change is recorded with, is not on their way.

What a route has at hand is answered sooner, before there is a task for it (`at_once.py`).
"""

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client import Counter
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.common.errors import FindMeError
from libs.common.telemetry import tracing
from libs.common.telemetry.metrics import HTTP_REQUESTS, HTTP_SECONDS
from libs.common.web.answer_headers import Header, MissingHeaders
from libs.common.web.at_once import WrittenAnswer, ready_endpoint
from libs.common.web.compiled_endpoint import CompiledEndpoint, NotCompilable, Parameters
from libs.common.web.middleware import UNTIMED, is_untraced, request_span
from libs.common.web.request_ids import REQUEST_ID, begin_request_id, request_id_of
from libs.common.web.same_origin import SAFE_METHODS

#: Heads that are completed once: what differs from answer to answer is not among them, but moments.
KEPT_HEADS = 256

log = structlog.get_logger(__name__)


class HotRoute:
    """One route and method, with what its requests are measured by."""

    def __init__(self, route: APIRoute, method: str, *, service: str) -> None:
        """Raises NotCompilable."""
        if method not in SAFE_METHODS:
            raise NotCompilable(route.dependant, f"{method} changes something")
        self.route = route
        self.endpoint = CompiledEndpoint(route)
        self.ready = ready_endpoint(route.endpoint)
        self.method = method
        self.seconds = None if route.path in UNTIMED else HTTP_SECONDS.labels(service, route.path)
        self._service = service
        self._requests: dict[int, Counter] = {}

    def requests(self, status: int) -> Counter:
        """Return what counts the answers of this status."""
        counter = self._requests.get(status)
        if counter is None:
            counter = HTTP_REQUESTS.labels(self._service, self.method, self.route.path, status)
            self._requests[status] = counter
        return counter


class HotRoutes:
    """The outermost application of a service: answers these routes, and passes on all others."""

    def __init__(
        self,
        app: FastAPI,
        rest: ASGIApp,
        routes: Sequence[APIRoute],
        *,
        service: str,
        missing_headers: MissingHeaders,
    ) -> None:
        """`missing_headers` says what an answer's headers lack."""
        self._app = app
        self._rest = rest
        self._handlers = app.exception_handlers
        self._missing_headers = missing_headers
        self._head = lru_cache(KEPT_HEADS)(self._completed)
        self._exact: dict[tuple[str, str], HotRoute] = {}
        self._templates: list[HotRoute] = []
        for route in routes:
            for method in route.methods or ():
                hot = HotRoute(route, method, service=service)
                if route.param_convertors:
                    self._templates.append(hot)
                else:
                    self._exact[method, route.path] = hot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        found = self._find(scope) if scope["type"] == "http" else None
        if found is None:
            await self._rest(scope, receive, send)
            return
        hot, path = found
        parameters = hot.endpoint.parameters(path, scope["query_string"])
        if parameters is None:
            await self._rest(scope, receive, send)
            return
        scope["route"] = hot.route
        scope["endpoint"] = hot.route.endpoint
        scope["path_params"] = path
        started = time.perf_counter()
        answer = _Answer(scope, send, self._missing_headers)
        request = Request(scope, receive, answer.send)
        try:
            if tracing.is_on() and not is_untraced(scope["path"]):
                with request_span(scope) as answer.observe:
                    await self._answer(hot, request, parameters, answer)
            else:
                await self._answer(hot, request, parameters, answer)
        finally:
            hot.requests(answer.status).inc()
            if hot.seconds is not None:
                hot.seconds.observe(time.perf_counter() - started)

    def at_once(self, scope: Scope) -> WrittenAnswer | None:
        """Return the answer that a route has at hand, counted as all are; None for all others."""
        found = self._find(scope)
        ready = None if found is None else found[0].ready
        if found is None or ready is None or tracing.is_on():
            return None
        hot, scope["path_params"] = found
        scope["app"] = self._app
        started = time.perf_counter()
        try:
            answer = ready(Request(scope))
        except FindMeError:
            # The endpoint says what is wrong.
            return None
        except Exception:
            log.exception("not_answered_at_once", route=hot.route.path)
            return None
        if answer is None:
            return None
        head = self._head(hot.route.path, scope["scheme"], answer.status, answer.common)
        request_id = request_id_of(scope).encode("latin-1")
        head += b"".join([b"%b: %b\r\n" % one for one in (*answer.own, (REQUEST_ID, request_id))])
        hot.requests(answer.status).inc()
        if hot.seconds is not None:
            hot.seconds.observe(time.perf_counter() - started)
        return WrittenAnswer(head, answer.body)

    def _completed(self, path: str, scheme: str, status: int, headers: tuple[Header, ...]) -> bytes:
        """Return the status line and what all answers with these headers say alike."""
        missing = self._missing_headers({"path": path, "scheme": scheme}, dict(headers))
        lines = [b"%b: %b\r\n" % header for header in (*headers, *missing)]
        return b"HTTP/1.1 %d %b\r\n%b" % (
            status,
            HTTPStatus(status).phrase.encode(),
            b"".join(lines),
        )

    def _find(self, scope: Scope) -> tuple[HotRoute, dict[str, Any]] | None:
        method, path = scope["method"], scope["path"]
        hot = self._exact.get((method, path))
        if hot is not None:
            return hot, {}
        for hot in self._templates:
            if hot.method == method and (match := hot.route.path_regex.match(path)) is not None:
                convertors = hot.route.param_convertors
                return hot, {
                    name: convertors[name].convert(value)
                    for name, value in match.groupdict().items()
                }
        return None

    async def _answer(
        self, hot: HotRoute, request: Request, parameters: Parameters, answer: "_Answer"
    ) -> None:
        try:
            response = await hot.endpoint(request, parameters)
            await response(request.scope, request.receive, answer.send)
        except Exception as error:
            kind = next(kind for kind in type(error).__mro__ if kind in self._handlers)
            # Into the middle of an answer nothing can be said, but to the log.
            is_surprise = kind is Exception or answer.has_begun
            handler: Any = self._handlers[Exception if is_surprise else kind]
            response = await handler(request, error)
            if not answer.has_begun:
                await response(request.scope, request.receive, answer.send)
            if is_surprise:
                # The server hears of it, as from Starlette.
                raise


class _Answer:
    """What is sent of one answer, completed with what every answer says."""

    __slots__ = (
        "_missing_headers",
        "_request_id",
        "_scope",
        "_send",
        "has_begun",
        "observe",
        "status",
    )

    def __init__(self, scope: Scope, send: Send, missing_headers: MissingHeaders) -> None:
        self._scope = scope
        self._send = send
        self._missing_headers = missing_headers
        self._request_id = begin_request_id(scope)
        self.has_begun = False
        self.status = 500
        self.observe: Callable[[int], None] | None = None

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.has_begun = True
            self.status = message["status"]
            if self.observe is not None:
                self.observe(self.status)
            headers = [*message["headers"], (REQUEST_ID, self._request_id)]
            headers += self._missing_headers(self._scope, dict(headers))
            message["headers"] = headers
        await self._send(message)

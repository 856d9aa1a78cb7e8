"""The factory of every service's application."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from enum import StrEnum
from functools import partial

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp, Scope

from libs.common.accounts.accounts import Accounts
from libs.common.accounts.tokens import Tokens
from libs.common.background import BackgroundTasks
from libs.common.limits.limiter import Limiter
from libs.common.resources import Resources, open_resources
from libs.common.settings import CommonSettings
from libs.common.web import errors, health
from libs.common.web.answer_headers import AnswerHeaders
from libs.common.web.at_once import WrittenAnswer
from libs.common.web.body_limit import BodyLimit
from libs.common.web.health import Check
from libs.common.web.hot_routes import HotRoutes
from libs.common.web.middleware import CallerMiddleware, MetricsMiddleware, TracingMiddleware
from libs.common.web.openapi import DocumentedApp
from libs.common.web.request_ids import with_request_ids
from libs.common.web.stopping import Stopping

log = structlog.get_logger(__name__)

#: FastAPI's own spans would name paths and queries, and its log records quote errors: see
#: middleware.py for ours.
_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


class Dependency(StrEnum):
    """What readiness may look at; the value is its name there and in metrics."""

    #: Answers reads.
    DATABASE = "database"
    #: The same server, and whether it takes changes: a standby does not.
    PRIMARY = "primary"
    STORE = "store"
    BUS = "bus"


class ServiceApp(DocumentedApp):
    """An application all of whose answers carry their request's id and our headers.

    Also those to errors that nobody expected, which no added middleware sees.
    """

    _hot: HotRoutes | None = None

    def build_middleware_stack(self) -> ASGIApp:
        """Put them around everything, and the hot routes before that."""
        settings: CommonSettings = self.state.settings
        rest = AnswerHeaders(
            with_request_ids(super().build_middleware_stack()), hsts_seconds=settings.hsts_seconds
        )
        self._hot = HotRoutes(
            self,
            rest,
            self.state.hot_routes,
            service=self.state.name,
            missing_headers=rest.missing,
        )
        return self._hot

    def at_once(self, scope: Scope) -> WrittenAnswer | None:
        """As `AnswersAtOnce`, from the first request on that came here by ASGI."""
        return None if self._hot is None else self._hot.at_once(scope)


#: What a service starts for itself, between its resources' opening and closing.
Start = Callable[[FastAPI, Resources], AbstractAsyncContextManager[None]]


def build_app(
    name: str,
    *,
    settings: CommonSettings,
    resources: Resources | None,
    routers: Sequence[APIRouter],
    hot: Collection[APIRouter] = (),
    start: Start,
    needs: Collection[Dependency],
    tells: Collection[Dependency] = (),
    streamed: re.Pattern[str] | None = None,
) -> FastAPI:
    """Return an application with health, metrics, request ids and the error table.

    Those of the routers that are `hot`, and health, are answered below FastAPI (`hot_routes`).
    Bodies are bounded, but those of the `streamed` routes ("PUT /path"), which read theirs piece by
    piece.

    The service is ready only while it reaches all that it `needs` to answer requests. What it
    `tells` of besides is what only its consumers need, or few of its requests.

    `resources` are borrowed when given (several services in one process), else opened from
    the settings for the life of the application. `start` fills `app.state` and begins what
    always runs on `app.state.background`, which ends it.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push(partial(_tell_failure, name))
            connected = resources
            if connected is None:
                connected = await stack.enter_async_context(
                    open_resources(settings, name=f"findme-{name}")
                )
            app.state.resources = connected
            background = await stack.enter_async_context(BackgroundTasks())
            app.state.background = background
            app.state.limiter = Limiter(
                connected.database,
                keys=app.state.signing_keys,
                scale=settings.limits_scale,
            )
            app.state.checks = _checks(connected, background, needs=needs, tells=tells)
            stack.push_async_callback(_end_checks, app)
            # Who changes nothing does not note when a login was seen either.
            writes = Dependency.PRIMARY in (*needs, *tells)
            await stack.enter_async_context(_knowing_accounts(app, connected, notes=writes))
            await stack.enter_async_context(start(app, connected))
            # Before what they work with is closed.
            stack.push_async_callback(background.end)
            # Where the server does not begin the end (see serve.py), the lifespan does.
            stack.push_async_callback(app.state.stopping.begin)
            background.tidy("limits", app.state.limiter.sweep)
            background.start(
                "dependencies", partial(health.watch_dependencies, name, lambda: app.state.checks)
            )
            yield

    app = ServiceApp(
        title=f"FindMe {name}",
        lifespan=lifespan,
        # The page is the gallery's, with the document of all services; FastAPI's loads a CDN's.
        docs_url=None,
        openapi_url=f"/api/docs/{name}/openapi.json",
        redoc_url=None,
        # It would lead to the host that the request names.
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
    )
    app.state.settings = settings
    app.state.name = name
    app.state.hot_routes = [
        route
        for router in (health.router, *hot)
        for route in router.routes
        if isinstance(route, APIRoute)
    ]
    app.state.stopping = Stopping()
    app.state.signing_keys = settings.signing_keys
    app.state.tokens = Tokens(app.state.signing_keys)
    errors.install(app)
    for router in (health.router, *routers):
        # As they were built when they were declared: included, all are built again at the first
        # request, which takes 46 ms in the gallery, and nothing in them differs by app.
        app.router.routes.extend(router.routes)
    app.add_middleware(CallerMiddleware)
    app.add_middleware(BodyLimit, streamed=streamed)
    app.add_middleware(MetricsMiddleware, service=name)
    app.add_middleware(TracingMiddleware)
    return app


@asynccontextmanager
async def _knowing_accounts(
    app: FastAPI, resources: Resources, *, notes: bool
) -> AsyncIterator[None]:
    """Know whose tokens are good, and hear of those that are not any more."""
    accounts = Accounts(resources.database, app.state.tokens)
    app.state.accounts = accounts
    hearing = await accounts.listening(resources.bus)
    app.state.background.start("accounts", hearing.run)
    if notes:
        app.state.background.start("logins seen", accounts.note_seen)
    try:
        yield
    finally:
        await accounts.close()


def _tell_failure(
    name: str, _: type[BaseException] | None, error: BaseException | None, __: object
) -> None:
    """Log why a service did not start or end: of the server's words the log has one line."""
    if isinstance(error, Exception):
        log.critical("service_failed", service=name, exc_info=error)


def _checks(
    resources: Resources,
    background: BackgroundTasks,
    *,
    needs: Collection[Dependency],
    tells: Collection[Dependency],
) -> dict[str, Check]:
    probes: dict[Dependency, Callable[[], Awaitable[None]]] = {
        Dependency.DATABASE: resources.database.check,
        Dependency.PRIMARY: resources.database.check_primary,
        Dependency.STORE: resources.store.check,
        Dependency.BUS: resources.bus.check,
    }
    return {
        # What the process itself runs, always: a release whose tasks end by themselves must not
        # take the place of one whose tasks run.
        "tasks": Check(background.check),
        "relay": Check(resources.background.check),
    } | {
        name.value: Check(probe, required=name in needs)
        for name, probe in probes.items()
        if name in needs or name in tells
    }


async def _end_checks(app: FastAPI) -> None:
    checks: dict[str, Check] = app.state.checks
    await asyncio.gather(*(check.end() for check in checks.values()))

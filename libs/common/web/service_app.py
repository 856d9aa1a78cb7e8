"""The factory of every service's application."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from enum import StrEnum
from functools import partial

from asgi_correlation_id import CorrelationIdMiddleware
from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig

from libs.common.background import BackgroundTasks
from libs.common.resources import Resources, open_resources
from libs.common.settings import CommonSettings
from libs.common.web import errors, health
from libs.common.web.auth import Tokens
from libs.common.web.health import Check
from libs.common.web.middleware import MetricsMiddleware, TracingMiddleware
from libs.common.web.stopping import Stopping

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


#: What a service starts for itself, between its resources' opening and closing.
Start = Callable[[FastAPI, Resources], AbstractAsyncContextManager[None]]


def build_app(
    name: str,
    *,
    settings: CommonSettings,
    resources: Resources | None,
    routers: Sequence[APIRouter],
    start: Start,
    needs: Collection[Dependency],
    tells: Collection[Dependency] = (),
) -> FastAPI:
    """Return an application with health, metrics, request ids and the error table.

    The service is ready only while it reaches all that it `needs` to answer requests. What it
    `tells` of besides is what only its consumers need, or few of its requests.

    `resources` are borrowed when given (several services in one process), else opened from
    the settings for the life of the application. `start` fills `app.state` and begins what
    always runs on `app.state.background`, which ends it.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            connected = resources
            if connected is None:
                connected = await stack.enter_async_context(
                    open_resources(settings, name=f"findme-{name}")
                )
            app.state.resources = connected
            background = await stack.enter_async_context(BackgroundTasks())
            app.state.background = background
            app.state.checks = _checks(connected, background, needs=needs, tells=tells)
            stack.push_async_callback(_end_checks, app)
            await stack.enter_async_context(start(app, connected))
            # Before what they work with is closed.
            stack.push_async_callback(background.end)
            # Where the server does not begin the end (see serve.py), the lifespan does.
            stack.push_async_callback(app.state.stopping.begin)
            background.start(
                "dependencies", partial(health.watch_dependencies, name, lambda: app.state.checks)
            )
            yield

    app = FastAPI(
        title=f"FindMe {name}",
        lifespan=lifespan,
        docs_url=f"/api/docs/{name}",
        openapi_url=f"/api/docs/{name}/openapi.json",
        redoc_url=None,
        telemetry=_NO_TELEMETRY,
    )
    app.state.settings = settings
    app.state.stopping = Stopping()
    app.state.tokens = Tokens(settings.secret_key.get_secret_value())
    errors.install(app)
    for router in (health.router, *routers):
        # As they were built when they were declared: included, all are built again at the first
        # request, which takes 46 ms in the gallery, and nothing in them differs by app.
        app.router.routes.extend(router.routes)
    app.add_middleware(MetricsMiddleware, service=name)
    app.add_middleware(TracingMiddleware)
    app.add_middleware(CorrelationIdMiddleware)
    return app


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

"""One origin for the four services in one process, and their common life."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from standalone.gateway_routes import service_for


class Gateway:
    """Hands each request to the service that answers its path."""

    def __init__(self, services: Mapping[str, FastAPI]) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp
        service = service_for(scope["path"])
        if scope["path"] == "/":
            app = RedirectResponse("/api/docs/gallery")
        elif service is None:
            app = JSONResponse({"detail": "Not Found"}, status_code=404)
        else:
            app = self._services[service]
        await app(scope, receive, send)


def gateway_app(services: Mapping[str, FastAPI]) -> Starlette:
    """Return the application; its lifespan starts the services in order, ends them in reverse."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for service in services.values():
                await stack.enter_async_context(service.router.lifespan_context(service))
            yield

    app = Starlette(lifespan=lifespan)
    app.state.stopping = [service.state.stopping for service in services.values()]
    app.mount("/", Gateway(services))
    return app

"""All four services in one process, on one data folder and behind one origin."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.common.database.migrate import upgrade
from libs.common.resources import open_resources
from libs.common.settings import CommonSettings
from services.gallery.app import create_app as create_gallery
from services.gallery.settings import GallerySettings
from services.ingest.app import create_app as create_ingest
from services.ingest.settings import IngestSettings
from services.media.app import create_app as create_media
from services.media.settings import MediaSettings
from services.recognition.app import create_app as create_recognition
from services.recognition.settings import RecognitionSettings
from standalone.data_dir import objects_dir, secret_key
from standalone.gateway_routes import service_for
from standalone.settings import StandaloneSettings


@asynccontextmanager
async def standalone_app(settings: StandaloneSettings, url: str) -> AsyncIterator[Starlette]:
    """Yield the application of all services, on a database that is migrated first."""
    await upgrade(url)
    common = common_settings(settings, url)
    recognition_settings = RecognitionSettings(
        **common,
        photo_queue_workers=settings.photo_queue_workers,
        findme_model_dir=settings.data_dir / "models",
    )
    async with open_resources(CommonSettings(**common), name="findme") as resources:
        recognition = create_recognition(recognition_settings, resources, keeps_messages=False)
        # An error of its is an answer of its, as over a socket.
        to_recognition = httpx.ASGITransport(recognition, raise_app_exceptions=False)
        yield gateway_app(
            {
                "recognition": recognition,
                "gallery": create_gallery(
                    GallerySettings(**common),
                    resources,
                    recognition_transport=to_recognition,
                ),
                "media": create_media(MediaSettings(**common), resources),
                "ingest": create_ingest(
                    IngestSettings(**common),
                    resources,
                    recognition_transport=to_recognition,
                ),
            }
        )


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


def common_settings(settings: StandaloneSettings, url: str) -> dict[str, Any]:
    """Return what all services' settings share; nothing of it is taken from the environment."""
    return {
        "database_url": url,
        "db_pool_size": 15,
        "db_max_overflow": 15,
        "amqp_url": None,
        "secret_key": secret_key(settings.data_dir),
        "photo_bucket_name": None,
        "photo_store_dir": objects_dir(settings.data_dir),
        "host": settings.host,
        "port": settings.port,
        "log_level": settings.log_level,
        "log_format": settings.log_format,
    }

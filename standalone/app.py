"""All four services in one process, on one data folder and behind one origin."""

import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from libs.common.database.migrate import upgrade
from libs.common.resources import open_resources
from libs.common.settings import CommonSettings, ServerSettings
from libs.common.web.answer_headers import AnswerHeaders
from libs.common.web.at_once import AnswersAtOnce, WrittenAnswer
from services.gallery.accounts.registration import has_admin
from services.gallery.app import create_app as create_gallery
from services.gallery.browser_app.files import BUILT, Pages
from services.gallery.settings import GallerySettings, MailSettings, OidcSettings
from services.ingest.app import create_app as create_ingest
from services.ingest.ftp.app import create_app as create_ftp
from services.ingest.ftp.settings import FtpSettings
from services.ingest.settings import IngestSettings
from services.media.app import create_app as create_media
from services.media.responses.delivery import DeliveryMode
from services.media.settings import MediaSettings
from services.recognition.app import create_app as create_recognition
from services.recognition.settings import RecognitionSettings
from standalone.data_dir import objects_dir, secret_key
from standalone.gateway_routes import HIDDEN, service_for
from standalone.settings import StandaloneSettings

#: Each takes 70 MB from its first picture on.
MAX_RENDITION_WORKERS = 8


@asynccontextmanager
async def standalone_app(settings: StandaloneSettings, url: str) -> AsyncIterator[Starlette]:
    """Yield the application of all services, on a database that is migrated first."""
    # All of them before anything is done: one that is wrong is told at once.
    common = common_settings(settings, url)
    recognition_settings = RecognitionSettings(
        **common,
        photo_queue_workers=settings.photo_queue_workers,
        findme_model_dir=settings.data_dir / "models",
    )
    gallery_own = GallerySettings(
        **common,
        **gallery_settings(settings),
        setup_token=None,
        web_dir=settings.web_dir or BUILT,
    )
    # There is nobody else who could send.
    media_settings = MediaSettings(
        **common, rendition_workers=_cores(), media_delivery=DeliveryMode.STREAM
    )
    ingest_settings = IngestSettings(
        **common, **{name: getattr(settings, name) for name in FtpSettings.model_fields}
    )
    await upgrade(url)
    async with open_resources(CommonSettings(**common), name="findme") as resources:
        recognition = create_recognition(recognition_settings, resources, keeps_messages=False)
        # An error of theirs is an answer of theirs, as over a socket.
        to_recognition = httpx.ASGITransport(recognition, raise_app_exceptions=False)
        # A new one at each start: one that a kept log holds is worth nothing later.
        setup_token = None if await has_admin(resources.database) else secrets.token_hex(16)
        gallery = create_gallery(
            gallery_own.model_copy(
                update={"setup_token": None if setup_token is None else SecretStr(setup_token)}
            ),
            resources,
            recognition_transport=to_recognition,
        )
        services = {
            "recognition": recognition,
            "gallery": gallery,
            "media": create_media(media_settings, resources),
            "ingest": create_ingest(
                ingest_settings,
                resources,
                recognition_transport=to_recognition,
                gallery_transport=httpx.ASGITransport(gallery, raise_app_exceptions=False),
            ),
        }
        if settings.ftp_port is not None:
            services["ftp"] = create_ftp(ingest_settings, resources)
        app = gateway_app(services)
        app.state.setup_token = setup_token
        yield app


def _cores() -> int:
    """Return how many pictures may be made at once: as many as there are cores, where none is busy.

    Workers start when they are needed, and give way to those that analyse photos.
    """
    return min(os.cpu_count() or 1, MAX_RENDITION_WORKERS)


def gateway_app(services: Mapping[str, FastAPI]) -> Starlette:
    """Return the application; its lifespan starts the services in order, ends them in reverse."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for service in services.values():
                await stack.enter_async_context(service.router.lifespan_context(service))
            yield

    app = GatewayApp(services, lifespan=lifespan)
    app.state.stopping = [service.state.stopping for service in services.values()]
    return app


class GatewayApp(Starlette):
    """All services as one application, without layers of its own before theirs."""

    def __init__(self, services: Mapping[str, FastAPI], *, lifespan: Lifespan[Starlette]) -> None:
        super().__init__(lifespan=lifespan)
        self._services = services
        self._gateway = Gateway(services)

    def at_once(self, scope: Scope) -> WrittenAnswer | None:
        """As `AnswersAtOnce`: what the path's service has at hand."""
        service = self._services.get(service_for(scope["path"]) or "")
        return service.at_once(scope) if isinstance(service, AnswersAtOnce) else None

    def build_middleware_stack(self) -> ASGIApp:
        """Return what is called: services answer their own errors."""
        return self._dispatch

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_request = scope["type"] == "http"
        await (self._gateway if is_request else self.router)(scope, receive, send)


class Gateway:
    """Hands each request to the service that answers its path."""

    def __init__(self, services: Mapping[str, FastAPI]) -> None:
        self._services: dict[str | None, ASGIApp] = {name: app for name, app in services.items()}  # noqa: C416 - of a wider type
        gallery = services["gallery"].state
        settings: CommonSettings = gallery.settings
        pages: Pages | None = gallery.pages
        # A path that no service answers.
        self._services[None] = AnswerHeaders(
            _not_found if pages is None else _beside(pages), hsts_seconds=settings.hsts_seconds
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._services[service_for(scope["path"])](scope, receive, send)


def _beside(pages: Pages) -> ASGIApp:
    """Say in the browser app's own words that there is no such page, but of what is none."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        is_page = not scope["path"].startswith("/api/") and scope["path"] not in HIDDEN
        await (pages if is_page else _not_found)(scope, receive, send)

    return answer


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"detail": "Not Found"}, status_code=404)(scope, receive, send)


def gallery_settings(settings: StandaloneSettings) -> dict[str, Any]:
    """Return how mails are sent (into the data folder without a server), and people log in."""
    named = {
        name: value
        for name in (*MailSettings.model_fields, *OidcSettings.model_fields)
        if (value := getattr(settings, name)) is not None
    }
    return {"mail_dir": settings.data_dir / "mail"} | named


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
        **{name: getattr(settings, name) for name in ServerSettings.model_fields},
        "port": settings.port,
        "log_level": settings.log_level,
        "log_format": settings.log_format,
    }

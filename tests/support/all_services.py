"""All four services in the test's process, behind one address, on its database and its store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.applications import Starlette

from libs.common.resources import Resources, open_resources
from services.gallery.app import create_app as create_gallery
from services.gallery.settings import GallerySettings
from services.ingest.app import create_app as create_ingest
from services.ingest.settings import IngestSettings
from services.media.app import create_app as create_media
from services.media.settings import MediaSettings
from services.recognition.app import create_app as create_recognition
from services.recognition.engine.face_engine import EngineFactory
from services.recognition.settings import RecognitionSettings
from standalone.app import gateway_app
from tests.support.documented import DocumentedTransport
from tests.support.engine_pools import lent_pools
from tests.support.polling import PATIENCE_SECONDS
from tests.support.settings import of_all_services, settings_of


@dataclass(frozen=True)
class AllServices:
    """What a test sees of them; `client` reaches all by their paths."""

    client: httpx.AsyncClient
    resources: Resources
    recognition: FastAPI
    #: All of them, and what is behind `client`.
    apps: list[FastAPI]
    gateway: Starlette


@asynccontextmanager
async def running_services(
    database_url: str, objects: Path, engine_factory: EngineFactory, **recognition: Any
) -> AsyncIterator[AllServices]:
    """Start them as standalone does; `recognition` are settings of that service."""
    common: dict[str, Any] = {"photo_store_dir": objects}
    settings = settings_of(
        RecognitionSettings, database_url, **common, photo_queue_workers=1, **recognition
    )
    async with (
        open_resources(of_all_services(settings), name="test") as resources,
        lent_pools(engine_factory, settings) as pools,
    ):
        recognises = create_recognition(settings, resources, pools=pools, keeps_messages=False)
        gallery = create_gallery(settings_of(GallerySettings, database_url, **common), resources)
        ingest = create_ingest(
            settings_of(IngestSettings, database_url, **common),
            resources,
            recognition_transport=httpx.ASGITransport(recognises, raise_app_exceptions=False),
            gallery_transport=httpx.ASGITransport(gallery, raise_app_exceptions=False),
        )
        services = {
            "recognition": recognises,
            "gallery": gallery,
            "media": create_media(settings_of(MediaSettings, database_url, **common), resources),
            "ingest": ingest,
        }
        app = gateway_app(services)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=DocumentedTransport(app, [*services.values()]),
                base_url="http://test",
                timeout=PATIENCE_SECONDS,
            ) as client,
        ):
            yield AllServices(client, resources, recognises, [*services.values()], app)

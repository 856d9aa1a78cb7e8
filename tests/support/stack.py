"""All four services in one process behind their gateway, with a scripted engine."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI

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
from tests.support.people import Person
from tests.support.scripted_engine import ScriptedEngine
from tests.support.settings import of_all_services, settings_of
from tests.support.world import World


@dataclass(frozen=True)
class Stack:
    """The services behind their gateway."""

    client: httpx.AsyncClient
    resources: Resources
    world: World
    services: Mapping[str, FastAPI]

    async def upload(
        self, photographer: Person, event_id: int, *files: tuple[str, bytes]
    ) -> dict[str, Any]:
        answer = await self.client.post(
            f"/api/photographer/events/{event_id}/upload-photos",
            headers=photographer.headers,
            files=[("files", (name, content, "image/jpeg")) for name, content in files],
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


@asynccontextmanager
async def running_stack(
    database_url: str, *, engine: EngineFactory = ScriptedEngine, **common: Any
) -> AsyncIterator[Stack]:
    """Start the services on a database; `common` are settings of all of them."""
    settings = settings_of(RecognitionSettings, database_url, photo_queue_workers=2, **common)
    async with (
        open_resources(of_all_services(settings), name="test") as resources,
        lent_pools(engine, settings) as pools,
    ):
        recognition = create_recognition(
            settings, resources, pools=pools, keeps_messages=settings.amqp_url is not None
        )
        to_recognition = httpx.ASGITransport(recognition, raise_app_exceptions=False)
        gallery = create_gallery(
            settings_of(GallerySettings, database_url, **common),
            resources,
            recognition_transport=to_recognition,
        )
        services = {
            "recognition": recognition,
            "gallery": gallery,
            "media": create_media(settings_of(MediaSettings, database_url, **common), resources),
            "ingest": create_ingest(
                settings_of(IngestSettings, database_url, **common),
                resources,
                recognition_transport=to_recognition,
                gallery_transport=httpx.ASGITransport(gallery, raise_app_exceptions=False),
            ),
        }
        app = gateway_app(services)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=DocumentedTransport(app, [*services.values()]),
                base_url="http://findme.test",
            ) as client,
        ):
            yield Stack(client, resources, World(resources.database, resources.store), services)

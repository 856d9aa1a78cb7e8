"""The media service: settings, resources, rendition workers, cleanup."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from libs.common.resources import Resources
from libs.common.settings import MEGABYTE, MEGAPIXEL
from libs.common.storage.fetches import Fetches
from libs.common.storage.protocol import ObjectInfo
from libs.common.web.service_app import Dependency, build_app
from libs.common.web.signed_urls import SignedUrls
from services.media import signed_routes as signed
from services.media.consumers import cleaning
from services.media.photos import routes as photos
from services.media.renditions.rendition_pool import RenditionPool
from services.media.renditions.renditions import Renditions
from services.media.renditions.single_flight import SingleFlight
from services.media.responses.object_response import Downloads
from services.media.selfies import routes as selfies
from services.media.settings import MediaSettings

#: Photos that are fetched ahead of the workers, and what they may take of /tmp: half of the 256 MB
#: that it has in docker-compose.yml.
FETCHES_AT_ONCE = 8
FETCHED_MAX_BYTES = 128 * MEGABYTE


def create_app(settings: MediaSettings, resources: Resources | None = None) -> FastAPI:
    """Return the service; `resources` are borrowed when given."""

    @asynccontextmanager
    async def start(app: FastAPI, connected: Resources) -> AsyncIterator[None]:
        app.state.signed_urls = SignedUrls(settings.secret_key.get_secret_value())
        async with (
            RenditionPool(
                workers=settings.rendition_workers,
                queue_limit=settings.rendition_queue_limit,
                timeout_seconds=settings.rendition_timeout_seconds,
                max_pixels=int(settings.max_photo_megapixels * MEGAPIXEL),
            ) as pool,
            SingleFlight[ObjectInfo]() as flights,
        ):
            app.state.renditions = Renditions(
                store=connected.store,
                fetches=Fetches(
                    connected.store, at_once=FETCHES_AT_ONCE, max_bytes=FETCHED_MAX_BYTES
                ),
                database=connected.database,
                pool=pool,
                flights=flights,
            )
            app.state.downloads = Downloads(
                connected.store,
                streams=settings.streams_at_once,
                parts=settings.parts_at_once,
            )
            cleanup = await cleaning(connected.bus, connected.topology, connected.store)
            app.state.background.start("cleanup", cleanup.run)
            yield

    return build_app(
        "media",
        settings=settings,
        resources=resources,
        routers=[signed.router, photos.router, selfies.router],
        start=start,
        # Pages are made of thumbnails, which are served without the database.
        needs={Dependency.STORE},
        tells={Dependency.DATABASE, Dependency.BUS},
    )

"""The media service: settings, resources, rendition workers, cleanup."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from libs.common.resources import Resources
from libs.common.rights.event_ends import EventEnds
from libs.common.settings import MEGABYTE, MEGAPIXEL
from libs.common.storage.fetches import Fetches
from libs.common.storage.protocol import ObjectInfo
from libs.common.web.service_app import Dependency, build_app
from libs.common.web.signed_urls import SignedUrls
from services.media import signed_routes as signed
from services.media.archives import routes as archives
from services.media.archives.ahead import Turns
from services.media.archives.layouts import Layouts
from services.media.archives.places import ArchivePlaces
from services.media.archives.preparing import Preparations
from services.media.archives.sending import Archives
from services.media.consumers import cleaning
from services.media.photos import routes as photos
from services.media.photos.known_photos import KnownPhotos
from services.media.renditions.rendition_pool import AHEAD, RenditionPool
from services.media.renditions.renditions import Renditions
from services.media.renditions.single_flight import SingleFlight
from services.media.responses.delivery import Delivery
from services.media.responses.downloads import Downloads
from services.media.selfies import routes as selfies
from services.media.settings import MediaSettings
from services.media.signed_links import SignedLinks

#: Photos that are fetched ahead of the workers, and what they may take of /tmp: half of the 256 MB
#: that it has in docker-compose.yml.
FETCHES_AT_ONCE = AHEAD
FETCHED_MAX_BYTES = 128 * MEGABYTE

ROUTERS = [signed.router, photos.router, selfies.router, archives.router]
#: Answered below FastAPI: a page is made of them.
HOT = [signed.router]


def create_app(settings: MediaSettings, resources: Resources | None = None) -> FastAPI:
    """Return the service; `resources` are borrowed when given."""

    @asynccontextmanager
    async def start(app: FastAPI, connected: Resources) -> AsyncIterator[None]:
        ends = app.state.ends = EventEnds(connected.database)
        await ends.learn_time()
        app.state.signed_links = SignedLinks(SignedUrls(settings.signing_keys))
        app.state.known_photos = KnownPhotos(connected.database)
        async with (
            RenditionPool(
                workers=settings.rendition_workers,
                queue_limit=settings.rendition_queue_limit,
                timeout_seconds=settings.rendition_timeout_seconds,
                max_pixels=int(settings.max_photo_megapixels * MEGAPIXEL),
            ) as pool,
            SingleFlight[ObjectInfo]() as flights,
            AsyncExitStack() as ending,
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
                streams=settings.streams_at_once, parts=settings.parts_at_once
            )
            app.state.delivery = Delivery(
                settings.media_delivery, connected.store, app.state.downloads
            )
            app.state.archives_ahead = Turns(settings.photos_ahead)
            app.state.archives = Archives(
                connected.database,
                await ending.enter_async_context(
                    Preparations(connected.database, connected.store, app.state.renditions)
                ),
                await ending.enter_async_context(Layouts(connected.database, connected.store)),
                ArchivePlaces(in_all=settings.archives_at_once),
            )
            cleanup = await cleaning(connected.bus, connected.topology, connected.store)
            app.state.background.start("cleanup", cleanup.run)
            try:
                yield
            finally:
                await ends.close()

    return build_app(
        "media",
        settings=settings,
        resources=resources,
        routers=ROUTERS,
        hot=HOT,
        start=start,
        # Pages are made of thumbnails, which are served without the database.
        needs={Dependency.STORE},
        tells={Dependency.DATABASE, Dependency.BUS},
    )

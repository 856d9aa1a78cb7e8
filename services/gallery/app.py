"""The gallery's composition: accounts, events, photo lists, admin, live updates."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
from fastapi import FastAPI

from libs.common.resources import Resources
from libs.common.web.service_app import Dependency, build_app
from services.gallery.accounts import admin_routes as accounts_admin
from services.gallery.accounts import routes as accounts
from services.gallery.consumers import NotificationListener, listening
from services.gallery.events import routes as events
from services.gallery.gallery import Gallery
from services.gallery.in_photo import routes as in_photo
from services.gallery.lists import routes as lists
from services.gallery.live import routes as live
from services.gallery.operations import routes as operations
from services.gallery.operations.waiting_work import watch_waiting_work
from services.gallery.people import routes as people
from services.gallery.people.recognition_client import RecognitionPeople, recognition_client
from services.gallery.photos import routes as photos
from services.gallery.selfies import routes as selfies
from services.gallery.settings import GallerySettings
from services.gallery.thresholds import routes as thresholds
from services.gallery.web.body_limit import BodyLimit

ROUTERS = [
    accounts.router,
    accounts_admin.first_admin_router,
    accounts_admin.router,
    events.router,
    events.admin_router,
    lists.router,
    lists.photographer_router,
    in_photo.router,
    in_photo.photographer_router,
    selfies.router,
    photos.router,
    thresholds.router,
    thresholds.admin_router,
    thresholds.rematch_router,
    people.router,
    people.face_groups_router,
    operations.router,
    live.router,
]


def create_app(
    settings: GallerySettings,
    resources: Resources | None = None,
    *,
    recognition_transport: httpx.AsyncBaseTransport | None = None,
) -> FastAPI:
    """Return the application; resources are borrowed when given, else opened by settings.

    `recognition_transport` reaches recognition where it runs in the same process.
    """

    @asynccontextmanager
    async def start(app: FastAPI, connected: Resources) -> AsyncIterator[None]:
        client = recognition_client(settings, recognition_transport)
        gallery = Gallery.of(settings, connected.database, RecognitionPeople(client))
        app.state.gallery = gallery
        listener = NotificationListener(gallery.cache, gallery.live, gallery.main_events)
        notifications = await listening(connected.bus, listener)
        app.state.background.start("notifications", notifications.run)
        app.state.background.start("waiting work", partial(watch_waiting_work, connected.database))
        try:
            yield
        finally:
            gallery.live.close()
            await gallery.cache.close()
            await client.aclose()

    app = build_app(
        "gallery",
        settings=settings,
        resources=resources,
        routers=ROUTERS,
        start=start,
        # Lists are what guests ask for, and a standby can serve them; what would change
        # something is answered 503 there.
        needs={Dependency.DATABASE},
        tells={Dependency.PRIMARY, Dependency.BUS},
    )
    app.add_middleware(BodyLimit)
    return app

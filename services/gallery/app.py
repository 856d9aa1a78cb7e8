"""The gallery's composition: accounts, events, photo lists, admin, live updates."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
from fastapi import FastAPI

from libs.common.resources import Resources
from libs.common.web.service_app import build_app
from services.gallery.accounts import (
    change_routes as changes,
)
from services.gallery.accounts import (
    photographer_routes as photographer_accounts,
)
from services.gallery.accounts import (
    routes as accounts,
)
from services.gallery.consumers import PATTERNS, NotificationListener
from services.gallery.events import admin_routes as admin
from services.gallery.events import routes as event_admin
from services.gallery.gallery import Gallery
from services.gallery.in_photo import (
    photo_guests_routes as photo_guests,
)
from services.gallery.in_photo import (
    verdict_routes as own_word,
)
from services.gallery.lists import routes as participants
from services.gallery.live import routes as live
from services.gallery.matching import routes as thresholds
from services.gallery.operations import (
    dead_letter_routes as dead_letters,
)
from services.gallery.operations import (
    usage_routes as aws_usage,
)
from services.gallery.operations.watch_waiting_work import watch_waiting_work
from services.gallery.people import face_groups_routes as face_groups
from services.gallery.people import people_routes as people
from services.gallery.people.recognition_people import RecognitionPeople, recognition_client
from services.gallery.photos import routes as photographers
from services.gallery.selfies import routes as selfies
from services.gallery.settings import GallerySettings
from services.gallery.web.body_limit import BodyLimit


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
        subscription = await connected.bus.listen(PATTERNS, listener.handle, on_gap=listener.on_gap)
        watcher = asyncio.create_task(watch_waiting_work(connected.database), name="waiting-work")
        try:
            yield
        finally:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher
            gallery.live.close()
            await subscription.stop()
            await gallery.cache.close()
            await client.aclose()

    app = build_app(
        "gallery",
        settings=settings,
        resources=resources,
        routers=[
            accounts.router,
            participants.router,
            own_word.router,
            selfies.router,
            photographers.router,
            photo_guests.router,
            thresholds.router,
            thresholds.admin_router,
            people.router,
            admin.first_admin_router,
            admin.router,
            changes.router,
            changes.own_router,
            event_admin.router,
            photographer_accounts.router,
            face_groups.router,
            aws_usage.router,
            dead_letters.router,
            live.router,
        ],
        start=start,
    )
    app.add_middleware(BodyLimit)
    return app

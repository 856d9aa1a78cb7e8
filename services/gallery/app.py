"""The gallery's composition: accounts, events, photo lists, admin, live updates."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
from fastapi import FastAPI

from libs.common.http.service_app import build_app
from libs.common.resources import Resources
from services.gallery.body_limit import BodyLimit
from services.gallery.consumers import PATTERNS, NotificationListener
from services.gallery.gallery import Gallery
from services.gallery.recognition_people import RecognitionPeople, recognition_client
from services.gallery.routes import (
    accounts,
    admin,
    aws_usage,
    changes,
    dead_letters,
    event_admin,
    face_groups,
    live,
    own_word,
    participants,
    people,
    photo_guests,
    photographer_accounts,
    photographers,
    selfies,
    thresholds,
)
from services.gallery.settings import GallerySettings
from services.gallery.watch_waiting_work import watch_waiting_work


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

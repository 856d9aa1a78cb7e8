"""The gallery's composition: accounts, events, photo lists, admin, live updates."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import httpx
from fastapi import FastAPI

from libs.common.resources import Resources
from libs.common.web.service_app import Dependency, build_app
from services.gallery.accounts import admin_routes as accounts_admin
from services.gallery.accounts import internal_routes as accounts_internal
from services.gallery.accounts import password_routes as passwords
from services.gallery.accounts import routes as accounts
from services.gallery.api_document import pages as api_pages
from services.gallery.api_document import routes as api_document
from services.gallery.api_keys import routes as api_keys
from services.gallery.audit import routes as audit
from services.gallery.audit.retention import delete_old_rows
from services.gallery.browser_app.files import load_pages
from services.gallery.browser_app.pages_route import PagesRoute
from services.gallery.cameras import routes as cameras
from services.gallery.consent import routes as consent
from services.gallery.consumers import NotificationListener, listening
from services.gallery.downloads import routes as downloads
from services.gallery.downloads.take_along import delete_expired_downloads
from services.gallery.erasure.erase_events import EventEraser
from services.gallery.event_settings import routes as event_settings
from services.gallery.events import routes as events
from services.gallery.export import routes as export
from services.gallery.favourites import routes as favourites
from services.gallery.gallery import Gallery
from services.gallery.guests import internal_routes as guests_internal
from services.gallery.guests import routes as guests
from services.gallery.in_photo import routes as in_photo
from services.gallery.lists import routes as lists
from services.gallery.live import routes as live
from services.gallery.live.ended_events import end_with_events
from services.gallery.live.rights import watch_rights
from services.gallery.mail.open import mail_sender
from services.gallery.notices import routes as notices
from services.gallery.oidc import routes as oidc
from services.gallery.oidc.provider import provider_of
from services.gallery.operations import routes as operations
from services.gallery.operations.waiting_work import watch_waiting_work
from services.gallery.overview import routes as overview
from services.gallery.pages import routes as pages
from services.gallery.people import routes as people
from services.gallery.people.recognition_client import RecognitionPeople, recognition_client
from services.gallery.photos import routes as photos
from services.gallery.selfies import routes as selfies
from services.gallery.sessions import routes as sessions
from services.gallery.sessions.sessions import delete_expired_sessions
from services.gallery.settings import GallerySettings
from services.gallery.sharing import routes as sharing
from services.gallery.thresholds import routes as thresholds

ROUTERS = [
    accounts.router,
    passwords.router,
    guests.router,
    pages.router,
    sessions.router,
    api_keys.router,
    oidc.router,
    accounts_internal.router,
    guests_internal.router,
    accounts_admin.first_admin_router,
    accounts_admin.router,
    events.router,
    events.admin_router,
    overview.router,
    event_settings.router,
    cameras.router,
    lists.router,
    lists.photographer_router,
    in_photo.router,
    in_photo.photographer_router,
    favourites.router,
    selfies.router,
    consent.router,
    export.router,
    downloads.router,
    photos.router,
    sharing.router,
    notices.router,
    thresholds.router,
    thresholds.admin_router,
    thresholds.rematch_router,
    people.router,
    people.face_groups_router,
    operations.router,
    audit.router,
    live.router,
    api_document.router,
    api_pages.router,
]
#: Answered below FastAPI: what guests ask for most.
HOT = [lists.router, lists.photographer_router, live.router]


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
        gallery = Gallery.of(
            settings, connected.database, RecognitionPeople(client), app.state.limiter
        )
        app.state.gallery = gallery
        app.state.oidc_provider = provider_of(settings)
        listener = NotificationListener(
            gallery.cache, gallery.live, gallery.main_events, gallery.ends
        )
        notifications = await listening(connected.bus, listener)
        app.state.background.start("notifications", notifications.run)
        app.state.background.start(
            "ended events", partial(end_with_events, gallery.live, gallery.ends)
        )
        app.state.accounts.on_end(gallery.live.end_sessions)
        # The server waits for answers, and streams have no end.
        app.state.stopping.first(gallery.live.close)
        app.state.background.start(
            "streams' rights", partial(watch_rights, gallery.live, connected.database)
        )
        app.state.background.tidy(
            "expired logins", partial(delete_expired_sessions, connected.database)
        )
        app.state.background.tidy(
            "expired downloads", partial(delete_expired_downloads, connected.database)
        )
        app.state.background.tidy("waiting work", partial(watch_waiting_work, connected.database))
        sender = mail_sender(settings, connected.database)
        app.state.background.start("mails", sender.run)
        eraser = EventEraser(
            connected.database,
            grace=timedelta(days=settings.event_grace_days),
            # Mails that nobody can send would only wait until they are useless.
            notice=timedelta(days=settings.erasure_notice_days if settings.sends_mails else 0),
        )
        app.state.background.tidy("event erasure", eraser.run)
        kept = timedelta(days=settings.audit_retention_days)
        app.state.background.tidy(
            "audit retention", partial(delete_old_rows, connected.database, age=kept)
        )
        try:
            yield
        finally:
            await gallery.cache.close()
            await gallery.ends.close()
            await gallery.main_events.close()
            await gallery.passwords.close()
            await client.aclose()

    app = build_app(
        "gallery",
        settings=settings,
        resources=resources,
        routers=ROUTERS,
        hot=HOT,
        start=start,
        # Lists are what guests ask for, and a standby can serve them; what would change
        # something is answered 503 there.
        needs={Dependency.DATABASE},
        tells={Dependency.PRIMARY, Dependency.BUS},
    )
    app.state.pages = None if settings.web_dir is None else load_pages(settings.web_dir)
    app.router.routes.append(PagesRoute(app.state.pages))
    return app

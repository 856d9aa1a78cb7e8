"""The ingest service: settings, resources, limits, routes."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
from fastapi import FastAPI

from libs.common.resources import Resources
from libs.common.web.service_app import Dependency, build_app
from services.ingest.connections import routes as connections
from services.ingest.context import make_context
from services.ingest.photos import routes as photos
from services.ingest.progress import routes as progress
from services.ingest.registrations import routes as registrations
from services.ingest.registrations.accounts_client import Accounts, accounts_client
from services.ingest.resumable import routes as resumable
from services.ingest.resumable.expiry import sweeping as forgetting_uploads
from services.ingest.selfies import routes as selfies
from services.ingest.selfies.receive_selfie import FaceCheck, recognition_client
from services.ingest.settings import IngestSettings
from services.ingest.upload_jobs import routes as upload_jobs
from services.ingest.upload_jobs.jobs import sweeping
from services.ingest.watchers import routes as watchers

#: Whose bodies are read piece by piece.
STREAMED = re.compile(
    r"POST /api/(photographer/events/\d+/upload-photos(-async)?|"
    r"(upload|validate)-selfie|(register-invite|join)-with-selfie)|"
    r"PUT /api/events/\d+/photos/[^/]+|"
    r"(POST|PATCH) /api/uploads(/[^/]+)?"
)
ROUTERS = [
    connections.router,
    photos.router,
    progress.router,
    upload_jobs.router,
    resumable.router,
    selfies.router,
    registrations.router,
    watchers.router,
]


def create_app(
    settings: IngestSettings,
    resources: Resources | None = None,
    *,
    recognition_transport: httpx.AsyncBaseTransport | None = None,
    gallery_transport: httpx.AsyncBaseTransport | None = None,
) -> FastAPI:
    """Return the service.

    `resources` are borrowed when given. `recognition_transport` reaches recognition, which
    judges selfies, and `gallery_transport` the gallery, which makes accounts, where they run in
    the same process.
    """

    @asynccontextmanager
    async def start(app: FastAPI, connected: Resources) -> AsyncIterator[None]:
        async with (
            recognition_client(settings, recognition_transport) as recognition,
            accounts_client(settings, gallery_transport) as gallery,
        ):
            app.state.context = make_context(
                settings,
                connected,
                app.state.limiter,
                face_check=FaceCheck(recognition),
                accounts=Accounts(gallery),
            )
            app.state.background.tidy("upload jobs", partial(sweeping, connected.database))
            app.state.background.tidy(
                "resumable uploads",
                partial(forgetting_uploads, connected.database, connected.store),
            )
            # What has arrived is stored, and the sender goes on with another replica.
            app.state.stopping.first(app.state.context.holdings.let_go)
            yield

    return build_app(
        "ingest",
        settings=settings,
        resources=resources,
        routers=ROUTERS,
        start=start,
        # An upload is an object and a row. Its message waits in the outbox while the bus is away.
        needs={Dependency.DATABASE, Dependency.PRIMARY, Dependency.STORE},
        tells={Dependency.BUS},
        streamed=STREAMED,
    )

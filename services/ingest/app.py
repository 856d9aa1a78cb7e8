"""The ingest service: settings, resources, limits, routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from libs.common.resources import Resources
from libs.common.web.service_app import Dependency, build_app
from services.ingest.context import make_context
from services.ingest.photos import routes as photos
from services.ingest.selfies import routes as selfies
from services.ingest.selfies.receive_selfie import FaceCheck, recognition_client
from services.ingest.settings import IngestSettings


def create_app(
    settings: IngestSettings,
    resources: Resources | None = None,
    *,
    recognition_transport: httpx.AsyncBaseTransport | None = None,
) -> FastAPI:
    """Return the service.

    `resources` are borrowed when given. `recognition_transport` reaches recognition, which
    judges selfies, where it runs in the same process.
    """

    @asynccontextmanager
    async def start(app: FastAPI, connected: Resources) -> AsyncIterator[None]:
        async with recognition_client(settings, recognition_transport) as client:
            app.state.context = make_context(settings, connected, FaceCheck(client))
            yield

    return build_app(
        "ingest",
        settings=settings,
        resources=resources,
        routers=[photos.router, selfies.router],
        start=start,
        # An upload is an object and a row. Its message waits in the outbox while the bus is away.
        needs={Dependency.DATABASE, Dependency.PRIMARY, Dependency.STORE},
        tells={Dependency.BUS},
    )

"""The door for cameras as an application: its health and metrics over HTTP, photos over FTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from libs.common.resources import Resources
from libs.common.web.service_app import Dependency, build_app
from services.ingest.context import make_context
from services.ingest.ftp.desk import Desk
from services.ingest.ftp.server import ftp_server
from services.ingest.registrations.accounts_client import Accounts, accounts_client
from services.ingest.selfies.receive_selfie import FaceCheck, recognition_client
from services.ingest.settings import IngestSettings


def create_app(settings: IngestSettings, resources: Resources | None = None) -> FastAPI:
    """Return the application; `resources` are borrowed when given."""

    @asynccontextmanager
    async def start(app: FastAPI, connected: Resources) -> AsyncIterator[None]:
        # Of a context's parts those of selfies are not asked here.
        async with (
            recognition_client(settings, None) as recognition,
            accounts_client(settings, None) as gallery,
        ):
            context = make_context(
                settings,
                connected,
                app.state.limiter,
                face_check=FaceCheck(recognition),
                accounts=Accounts(gallery),
            )
            desk = Desk(context, app.state.accounts, asyncio.get_running_loop())
            async with ftp_server(settings.host, settings, desk) as server:
                app.state.ftp_port = server.port
                # Files that are on their way arrive while their photos can still be recorded.
                app.state.stopping.first(partial(asyncio.to_thread, server.finish))
                yield

    return build_app(
        "ftp",
        settings=settings,
        resources=resources,
        routers=[],
        start=start,
        needs={Dependency.DATABASE, Dependency.PRIMARY, Dependency.STORE},
        tells={Dependency.BUS},
    )

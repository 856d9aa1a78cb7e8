"""An ingest service on a private database and store; its messages stay in the outbox."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from libs.common.database import tables
from libs.common.database.database import Database
from libs.common.face_check import FaceVerdict
from libs.common.messaging.bus.open import open_bus
from libs.common.messaging.bus.topology import findme_topology
from libs.common.resources import Resources
from libs.common.storage.folder import FolderStore
from libs.common.storage.protocol import ObjectStore
from libs.common.web.auth import Role
from services.ingest.app import create_app
from services.ingest.settings import IngestSettings
from tests.support.http_server import calling
from tests.support.own_role import with_own_role
from tests.support.people import bearer, issue_token
from tests.support.settings import settings_of
from tests.support.world import World

NO_FACE = "No face could be found. Send a picture of your face."


class ScriptedRecognition(httpx.AsyncBaseTransport):
    """Recognition's end of the wire: refuses the pictures it was told to."""

    def __init__(self) -> None:
        self.refused: set[bytes] = set()
        #: Of each picture that was asked about, whether by somebody unknown.
        self.asked_anonymously: list[bool] = []
        #: How long its line is, where it refuses everybody.
        self.busy_seconds: int | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked_anonymously.append(request.url.params.get("anonymous") == "true")
        if self.busy_seconds is not None:
            return httpx.Response(503, headers={"Retry-After": str(self.busy_seconds)})
        is_refused = await request.aread() in self.refused
        verdict = FaceVerdict(valid=not is_refused, reason=NO_FACE if is_refused else None)
        return httpx.Response(200, json=verdict.model_dump(mode="json"))


@dataclass(frozen=True)
class Ingest:
    """A running service, and a look at what it has done."""

    app: FastAPI
    client: httpx.AsyncClient
    settings: IngestSettings
    resources: Resources
    world: World
    recognition: ScriptedRecognition

    def headers(self, user_id: int, role: Role = Role.PHOTOGRAPHER) -> dict[str, str]:
        return bearer(issue_token(user_id, role))

    async def objects(self) -> dict[str, int]:
        """Sizes of all visible objects by key."""
        return {info.key: info.size_bytes async for info in self.resources.store.list("")}

    async def photos(self) -> list[Any]:
        async with self.resources.database.read() as connection:
            rows = await connection.execute(select(tables.photos).order_by(tables.photos.c.id))
            return list(rows)

    async def messages(self) -> list[tuple[str, dict[str, Any]]]:
        """Topic and content of what waits to be published, oldest first."""
        async with self.resources.database.read() as connection:
            rows = await connection.execute(
                select(tables.outbox.c.routing_key, tables.outbox.c.body).order_by(
                    tables.outbox.c.id
                )
            )
            return [(row.routing_key.rpartition(".")[0], orjson.loads(row.body)) for row in rows]


@dataclass(frozen=True)
class Gallery:
    """An event, its photographer, and the way to upload to it."""

    ingest: Ingest
    event_id: int
    photographer_id: int

    @property
    def url(self) -> str:
        return f"/api/photographer/events/{self.event_id}/upload-photos"

    @property
    def headers(self) -> dict[str, str]:
        return self.ingest.headers(self.photographer_id)

    async def upload(self, *files: tuple[str, bytes], **options: Any) -> httpx.Response:
        return await self.ingest.client.post(
            self.url,
            headers=self.headers,
            files=[("files", (name, content, "image/jpeg")) for name, content in files],
            **options,
        )


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> IngestSettings:
    return settings_of(IngestSettings, database_url, photo_store_dir=tmp_path / "objects")


@pytest.fixture
async def store(settings: IngestSettings) -> ObjectStore:
    return await FolderStore.open(settings.photo_store_dir)


@asynccontextmanager
async def running_ingest(
    settings: IngestSettings,
    store: ObjectStore,
    *,
    gallery_of: Callable[[Resources], FastAPI] | None = None,
) -> AsyncIterator[Ingest]:
    """Start the service; with `gallery_of` it reaches the gallery, else nobody answers there."""
    topology = findme_topology()
    async with (
        Database.open(settings, name="test") as database,
        open_bus(None, topology) as bus,
    ):
        resources = Resources(database=database, bus=bus, store=store, topology=topology)
        recognition = ScriptedRecognition()
        async with contextlib.AsyncExitStack() as stack:
            to_gallery = None
            if gallery_of is not None:
                theirs = await stack.enter_async_context(
                    with_own_role(resources, settings, "gallery")
                )
                other = gallery_of(theirs)
                await stack.enter_async_context(other.router.lifespan_context(other))
                to_gallery = httpx.ASGITransport(other, raise_app_exceptions=False)
            own = await stack.enter_async_context(with_own_role(resources, settings, "ingest"))
            app = create_app(
                settings,
                own,
                recognition_transport=recognition,
                gallery_transport=to_gallery,
            )
            client = await stack.enter_async_context(calling(app))
            yield Ingest(app, client, settings, resources, World(database, store), recognition)


@pytest.fixture
async def ingest(settings: IngestSettings, store: ObjectStore) -> AsyncIterator[Ingest]:
    async with running_ingest(settings, store) as ingest:
        yield ingest


async def new_gallery(ingest: Ingest) -> Gallery:
    photographer_id = await ingest.world.user("photographer")
    return Gallery(ingest, await ingest.world.event(photographer_id), photographer_id)


@pytest.fixture
async def gallery(ingest: Ingest) -> Gallery:
    return await new_gallery(ingest)

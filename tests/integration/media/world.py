"""What the media tests are about: a running service, people, events, photos."""

import contextlib
import io
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import uvicorn
from fastapi import FastAPI
from PIL import Image
from sqlalchemy import Table, delete, insert

from libs.common.bus.in_process import InProcessBus
from libs.common.bus.topology import findme_topology
from libs.common.database import Database
from libs.common.resources import Resources
from libs.common.signed_urls import SignedUrls
from libs.common.storage import keys
from libs.common.storage.protocol import ObjectStore
from libs.common.tables import events, memberships, photos, selfies, users
from libs.common.tokens import Principal, Role, Tokens
from services.media.app import create_app
from services.media.settings import MediaSettings

SECRET = "a secret of more than thirty-two letters"
NEXT_MONTH = datetime.now(UTC) + timedelta(days=30)


@dataclass(frozen=True)
class Person:
    """An account and the header that logs it in."""

    id: int
    headers: dict[str, str]
    token: str


@dataclass(frozen=True)
class Photo:
    """A stored photo."""

    id: int
    event_id: int
    filename: str
    data: bytes

    @property
    def key(self) -> str:
        return keys.photo_key(self.event_id, self.filename)

    def rendition_key(self, name: str) -> str:
        return keys.rendition_key(self.event_id, self.filename, name)


@dataclass(frozen=True)
class World:
    """A running service and what it is connected to."""

    client: httpx.AsyncClient
    database: Database
    store: ObjectStore
    bus: InProcessBus
    signed_urls: SignedUrls

    async def person(self, role: Role = Role.PARTICIPANT, *, joined: int | None = None) -> Person:
        name = uuid.uuid4().hex
        user_id = await self._insert(
            users, username=name, email=f"{name}@example.org", password_hash="", user_type=role
        )
        if joined is not None:
            async with self.database.unit_of_work() as unit:
                await unit.connection.execute(
                    insert(memberships).values(user_id=user_id, event_id=joined)
                )
        token = Tokens(SECRET).issue(Principal(user_id, role), lifetime=timedelta(hours=1))
        return Person(user_id, {"Authorization": f"Bearer {token}"}, token)

    async def event(self, photographer: Person | None = None) -> int:
        code = uuid.uuid4().hex
        return await self._insert(
            events,
            name="Wedding",
            event_code=code,
            code_key=code,
            photographer_id=photographer and photographer.id,
            expires_at=NEXT_MONTH,
        )

    async def photo(
        self,
        event_id: int,
        data: bytes = b"the photo's bytes",
        *,
        original_filename: str = "IMG_1.jpg",
        content_type: str = "image/jpeg",
    ) -> Photo:
        filename = f"{uuid.uuid4().hex}.jpg"
        photo_id = await self._insert(
            photos,
            event_id=event_id,
            filename=filename,
            original_filename=original_filename,
            content_type=content_type,
            sha256=b"",
            crc32=0,
            size_bytes=len(data),
            width=1,
            height=1,
        )
        photo = Photo(photo_id, event_id, filename, data)
        await self.store.put(photo.key, data, content_type=content_type)
        return photo

    async def selfie(self, person: Person, data: bytes = b"the selfie's bytes") -> str:
        filename = f"{uuid.uuid4().hex}.jpg"
        key = keys.selfie_key(person.id, filename)
        await self._insert(
            selfies,
            user_id=person.id,
            filename=filename,
            object_key=key,
            content_type="image/jpeg",
            sha256=b"",
            size_bytes=len(data),
        )
        await self.store.put(key, data, content_type="image/jpeg")
        return key

    async def delete_row(self, photo: Photo) -> None:
        async with self.database.unit_of_work() as unit:
            await unit.connection.execute(delete(photos).where(photos.c.id == photo.id))

    def link(self, key: str) -> str:
        return self.signed_urls.sign(key, NEXT_MONTH)

    async def keys(self) -> set[str]:
        return {info.key async for info in self.store.list("")}

    async def _insert(self, table: Table, **values: object) -> int:
        async with self.database.unit_of_work() as unit:
            statement = insert(table).values(**values).returning(table.c.id)
            new_id: int = (await unit.connection.execute(statement)).scalar_one()
        return new_id


def settings_for(database_url: str, **values: object) -> MediaSettings:
    return MediaSettings.model_validate(
        {"database_url": database_url, "secret_key": SECRET, "db_pool_size": 5} | values
    )


@contextlib.asynccontextmanager
async def running_world(settings: MediaSettings, store: ObjectStore) -> AsyncIterator[World]:
    """Serve the service on a socket of its own."""
    topology = findme_topology(retry_delays_seconds=(0.01, 0.01, 0.01))
    bus = InProcessBus(topology)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(bus.close)
        database = await stack.enter_async_context(Database.open(settings))
        app = create_app(settings, Resources(database, bus, store, topology))
        url = await stack.enter_async_context(serving(app))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=30))
        yield World(client, database, store, bus, SignedUrls(SECRET))


@contextlib.asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Run uvicorn as it runs in production, in this process."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    async with app.router.lifespan_context(app):
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        try:
            port: int = server.servers[0].sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{port}"
        finally:
            await server.shutdown()


def jpeg(width: int = 1200, height: int = 900, *, orientation: int = 1) -> bytes:
    """A gradient, so that nothing in it is uniform."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "a camera's maker"
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    target = io.BytesIO()
    image.save(target, "JPEG", exif=exif)
    return target.getvalue()

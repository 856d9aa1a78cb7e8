"""What the media tests are about: a running service, people, events, photos."""

import contextlib
import hashlib
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
from fastapi import FastAPI
from PIL import Image

from libs.common.database.database import Database
from libs.common.database.tables import photos
from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.bus.topology import findme_topology
from libs.common.resources import Resources
from libs.common.storage import keys
from libs.common.storage.protocol import ObjectStore
from libs.common.web.signed_urls import SignedUrls
from services.media.app import create_app
from services.media.settings import MediaSettings
from tests.support.http_server import serving
from tests.support.people import SECRET, Person
from tests.support.rows import NEXT_MONTH, Rows, new_filename


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
class World(Rows):
    """A running service and what it is connected to."""

    app: FastAPI
    client: httpx.AsyncClient
    store: ObjectStore
    bus: InProcessBus
    signed_urls: SignedUrls

    async def photo(
        self,
        event_id: int,
        data: bytes = b"the photo's bytes",
        *,
        original_filename: str = "IMG_1.jpg",
        content_type: str = "image/jpeg",
    ) -> Photo:
        filename = new_filename()
        photo_id = await self.insert_photo(
            event_id,
            filename=filename,
            original_filename=original_filename,
            content_type=content_type,
            size_bytes=len(data),
            sha256=hashlib.sha256(data).digest(),
        )
        photo = Photo(photo_id, event_id, filename, data)
        await self.store.put(photo.key, data, content_type=content_type)
        return photo

    async def replace(self, photo: Photo, data: bytes) -> None:
        """As if these bytes had been uploaded."""
        whole = {"size_bytes": len(data), "sha256": hashlib.sha256(data).digest()}
        await self.execute(photos.update().where(photos.c.id == photo.id).values(whole))
        await self.store.put(photo.key, data, content_type="image/jpeg")

    async def selfie(self, person: Person, data: bytes = b"the selfie's bytes") -> str:
        filename = new_filename()
        await self.insert_selfie(person, filename=filename, size_bytes=len(data))
        key = keys.selfie_key(person.id, filename)
        await self.store.put(key, data, content_type="image/jpeg")
        return key

    async def delete_row(self, photo: Photo) -> None:
        await self.delete(photos, photo.id)

    def link(self, key: str) -> str:
        return self.signed_urls.sign(key, NEXT_MONTH)

    async def keys(self) -> set[str]:
        return {info.key async for info in self.store.list("")}


@contextlib.asynccontextmanager
async def running_world(settings: MediaSettings, store: ObjectStore) -> AsyncIterator[World]:
    """Serve the service on a socket of its own."""
    topology = findme_topology(retry_delays_seconds=(0.01, 0.01, 0.01))
    bus = InProcessBus(topology)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(bus.close)
        database = await stack.enter_async_context(Database.open(settings))
        app = create_app(settings, Resources(database, bus, store, topology))
        await stack.enter_async_context(app.router.lifespan_context(app))
        url = await stack.enter_async_context(serving(app))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=30))
        yield World(database, app, client, store, bus, SignedUrls(SECRET))


def jpeg(width: int = 1200, height: int = 900, *, orientation: int = 1) -> bytes:
    """A gradient, so that nothing in it is uniform."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "a camera's maker"
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    target = io.BytesIO()
    image.save(target, "JPEG", exif=exif)
    return target.getvalue()

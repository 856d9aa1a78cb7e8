"""What the media tests are about: a running service, people, events, photos."""

import contextlib
import hashlib
import io
import os
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI
from PIL import Image
from sqlalchemy import insert

from libs.common.database.database import Database
from libs.common.database.tables import downloads, photos
from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.bus.topology import findme_topology
from libs.common.photo_downloads import DOWNLOADS_PATH, archive_key
from libs.common.resources import Resources
from libs.common.storage import keys
from libs.common.storage.protocol import ObjectStore
from libs.common.web.signed_urls import SignedUrls
from services.media.app import create_app
from services.media.settings import MediaSettings
from tests.support.http_server import serving
from tests.support.own_role import with_own_role
from tests.support.people import KEYS, Person
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

    @property
    def guest_copy_key(self) -> str:
        return keys.guest_copy_key(self.event_id, self.filename)


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
        **values: Any,
    ) -> Photo:
        filename = new_filename()
        photo_id = await self.insert_photo(
            event_id,
            filename=filename,
            original_filename=original_filename,
            content_type=content_type,
            size_bytes=len(data),
            sha256=hashlib.sha256(data).digest(),
            crc32=zlib.crc32(data),
            **values,
        )
        photo = Photo(photo_id, event_id, filename, data)
        await self.store.put(photo.key, data, content_type=content_type)
        return photo

    async def replace(self, photo: Photo, data: bytes) -> None:
        """As if these bytes had been uploaded."""
        whole = {
            "size_bytes": len(data),
            "sha256": hashlib.sha256(data).digest(),
            "crc32": zlib.crc32(data),
        }
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

    async def download(
        self,
        person: Person,
        photos: Sequence[Photo],
        *,
        folders: str = "none",
        photographers: Mapping[int, str] = {},
    ) -> str:
        """The link of an archive as the gallery makes it."""
        row = {
            "user_id": person.id,
            "event_id": photos[0].event_id,
            "expires_at": NEXT_MONTH,
            "photo_ids": [photo.id for photo in photos],
            "folders": folders,
            "photographers": {str(key): name for key, name in photographers.items()},
            "digest": os.urandom(32),
        }
        async with self.database.unit_of_work() as unit:
            made = insert(downloads).values(row).returning(downloads.c.id)
            download_id = (await unit.connection.execute(made)).scalar_one()
        return self.signed_urls.sign(archive_key(download_id), NEXT_MONTH, under=DOWNLOADS_PATH)

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
        resources = Resources(database, bus, store, topology)
        own = await stack.enter_async_context(with_own_role(resources, settings, "media"))
        app = create_app(settings, own)
        await stack.enter_async_context(app.router.lifespan_context(app))
        url = await stack.enter_async_context(serving(app))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=120))
        yield World(database, app, client, store, bus, SignedUrls(KEYS))


def cached_seconds(answer: httpx.Response) -> int:
    """For how long a browser, and nobody between, may keep it."""
    private, max_age, immutable = answer.headers["cache-control"].split(", ")
    assert (private, immutable) == ("private", "immutable")
    return int(max_age.removeprefix("max-age="))


def jpeg(width: int = 1200, height: int = 900, *, orientation: int = 1) -> bytes:
    """A gradient, so that nothing in it is uniform."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "a camera's maker"
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    target = io.BytesIO()
    image.save(target, "JPEG", exif=exif)
    return target.getvalue()

"""An event's photos with thumbnails, in a folder and in the database."""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.media.plan import ORIGINAL_BYTES, THUMBNAIL_BYTES
from benchmarks.private_services import PrivateServices
from libs.common.database.database import Database
from libs.common.storage import keys
from libs.common.storage.folder import FolderStore
from libs.common.web.auth import Role
from libs.common.web.signed_urls import SignedUrls
from tests.support.rows import NEXT_MONTH, Rows, new_filename


@dataclass(frozen=True, slots=True)
class Album:
    """Keys of what is there, and their signed addresses."""

    folder: Path
    thumbnails: list[str]
    originals: list[str]
    signed_urls: SignedUrls

    def links(self, object_keys: list[str]) -> list[str]:
        """Return paths that media answers."""
        return [self.signed_urls.sign(key, NEXT_MONTH) for key in object_keys]


@asynccontextmanager
async def album(services: PrivateServices, photos: int) -> AsyncIterator[Album]:
    """Yield random bytes in the sizes of photos: nobody decodes them."""
    settings = services.settings()
    with TemporaryDirectory(prefix="findme-bench-") as name:
        async with Database.open(settings) as database:
            rows = Rows(database)
            event = await rows.event(await rows.person(Role.PHOTOGRAPHER))
            store = await FolderStore.open(Path(name) / "objects")
            thumbnails, originals = [], []
            for _ in range(photos):
                filename, data = new_filename(), os.urandom(ORIGINAL_BYTES)
                digest = hashlib.sha256(data).digest()
                await rows.insert_photo(
                    event, filename=filename, size_bytes=len(data), sha256=digest
                )
                originals.append(keys.photo_key(event, filename))
                thumbnails.append(keys.rendition_key(event, filename, "thumbnail"))
                await store.put(originals[-1], data, content_type="image/jpeg")
                await store.put(thumbnails[-1], data[:THUMBNAIL_BYTES], content_type="image/webp")
        yield Album(
            Path(name) / "objects", thumbnails, originals, SignedUrls(settings.signing_keys)
        )

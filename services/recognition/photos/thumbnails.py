"""Thumbnails that the analysis has made of its own pixels, put where media looks for them.

They only save work: what is not there is made by media when it is first asked for.
"""

import asyncio
from typing import Final

import structlog

from libs.common.images.formats import ImageFormat
from libs.common.storage.keys import rendition_key
from libs.common.storage.protocol import ObjectStore
from services.recognition import metrics
from services.recognition.photos.repository import PhotoRow

#: No photo waits longer for a store that does not take its thumbnail.
PATIENCE_SECONDS: Final = 2.0

TYPE: Final = ImageFormat.WEBP.media_type

log = structlog.get_logger(__name__)


class Thumbnails:
    """Keeps them beside the photos; never raises what the store says."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def keep(self, photo: PhotoRow, thumbnail: bytes | None) -> None:
        """Put a new photo's thumbnail; one that was analysed before has its own."""
        if photo.status != "queued":
            return
        if thumbnail is None:
            metrics.THUMBNAILS.labels("left").inc()
            return
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._store.put(_key(photo), thumbnail, content_type=TYPE)
        except Exception as error:  # noqa: BLE001 - the photo is more than its thumbnail
            metrics.THUMBNAILS.labels("failed").inc()
            log.warning("thumbnail_not_kept", photo_id=photo.id, error=error)
        else:
            metrics.THUMBNAILS.labels("kept").inc()

    async def drop(self, photo: PhotoRow) -> None:
        """Delete the thumbnail of a photo that is gone, or may be: its deletion came before."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._store.delete(_key(photo))
        except Exception as error:  # noqa: BLE001 - whoever calls has an error of its own
            log.warning("thumbnail_not_dropped", photo_id=photo.id, error=error)


def _key(photo: PhotoRow) -> str:
    return rendition_key(photo.event_id, photo.filename, "thumbnail")

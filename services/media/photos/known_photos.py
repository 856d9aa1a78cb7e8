"""What this process knows of photos that are asked for by their links: for a second."""

import time
from collections.abc import Callable
from typing import Final

from cachetools import TTLCache

from libs.common.database.database import Database
from services.media.photos import repository
from services.media.photos.repository import PhotoRecord

#: A photo that is deleted, and an event that strips metadata from now on, are known after so long.
FRESH_SECONDS: Final = 1.0
KNOWN_AT_MOST: Final = 10_000


class KnownPhotos:
    """Asks the database once for all who come within a second, as for the parts of one download."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._known: TTLCache[str, PhotoRecord] = TTLCache(KNOWN_AT_MOST, FRESH_SECONDS, clock)

    async def of(self, filename: str) -> PhotoRecord | None:
        """Return the photo, None when there is none."""
        known: PhotoRecord | None = self._known.get(filename)
        if known is None:
            began = self._known.timer()
            async with self._database.read() as connection:
                known = await repository.photo_by_filename(connection, filename)
            # Of a slow answer nobody can say how old it is.
            if known is not None and self._known.timer() - began < FRESH_SECONDS:
                self._known[filename] = known
        return known

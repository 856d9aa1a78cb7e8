"""How much of the store's room uploads may take: on a full disk the database stops, too."""

import time

from libs.common.settings import MEGABYTE
from libs.common.storage.protocol import ObjectStore, StoreFull

#: What was free is asked again after so long; what came meanwhile is counted here.
FRESH_SECONDS = 1.0


class Room:
    """The room that is left, but for what is kept free; nobody knows how much a bucket has."""

    def __init__(self, store: ObjectStore, *, kept_free_bytes: int) -> None:
        self._store = store
        self._kept_free_bytes = kept_free_bytes
        self._free_bytes: int | None = None
        self._good_until = 0.0

    async def check(self, size_bytes: int = 0) -> None:
        """Raises StoreFull when there is no room for so many bytes more."""
        if not self._kept_free_bytes:
            return  # the disk itself says when it is full
        if time.monotonic() >= self._good_until:
            self._free_bytes = await self._store.free_bytes()
            self._good_until = time.monotonic() + FRESH_SECONDS
        if self._free_bytes is None:
            return
        if self._free_bytes - size_bytes < self._kept_free_bytes:
            msg = (
                "The photo store is nearly full:"
                f" {self._kept_free_bytes // MEGABYTE} MB of its disk are kept free."
                " Photos that arrived before are safe."
            )
            raise StoreFull(msg)

    async def take(self, size_bytes: int) -> None:
        """Count bytes that are written now. Raises StoreFull."""
        await self.check(size_bytes)
        if self._free_bytes is not None:
            self._free_bytes -= size_bytes

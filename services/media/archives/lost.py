"""Which photos of an archive have no file, asked before its first byte is sent.

An archive's length is said at its beginning: a photo that turns out to be lost later breaks it off.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from typing import Final, Self

from libs.common.storage import keys
from libs.common.storage.protocol import ObjectNotFound, ObjectStore

#: Of so many photos the event's files are listed, a thousand in an answer, and not asked for one
#: by one.
LISTED_FROM: Final = 1_000
ASKED_AT_ONCE: Final = 8
#: As it is told to whoever takes the others along.
MISSING: Final = "its file is missing"


class StoredPhotos:
    """What the store has of an event's photos."""

    def __init__(self, store: ObjectStore, event_id: int, listed: Collection[str] = ()) -> None:
        self._store = store
        self._event_id = event_id
        self._listed = frozenset(listed)

    @classmethod
    async def of(cls, store: ObjectStore, event_id: int, *, wanted: int) -> Self:
        """Look which files there are, where so many are wanted that it is worth it."""
        if wanted < LISTED_FROM:
            return cls(store, event_id)
        prefix = keys.photo_key(event_id, "")
        return cls(store, event_id, [found.key async for found in store.list(prefix)])

    async def lost(self, filenames: Sequence[str]) -> frozenset[str]:
        """Return those of the photos whose files are not there. Raises StoreUnavailable."""
        named = {keys.photo_key(self._event_id, name): name for name in filenames}
        # One that was not listed may have come since.
        left = iter([key for key in named if key not in self._listed])
        lost: list[str] = []
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(ASKED_AT_ONCE):
                    group.create_task(self._ask(left, lost))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        return frozenset(named[key] for key in lost)

    async def _ask(self, left: Iterator[str], lost: list[str]) -> None:
        for key in left:
            try:
                await self._store.stat(key)
            except ObjectNotFound:
                lost.append(key)

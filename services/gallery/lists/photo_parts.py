"""What a photo looks like in guests' lists: encoded once, kept as bytes, joined to pages.

It is the same for all guests of the event but for what ends it: whether the photo shows the guest.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

import orjson

from services.gallery.events.links import PhotoLinks
from services.gallery.events.rules import Event
from services.gallery.lists.answer import photo_view
from services.gallery.lists.repository import PhotoRow

DIGEST_BYTES = 16
#: What a kept part costs beside its bytes: digest, object headers, its place in the order.
PART_OVERHEAD_BYTES = 400
#: Longer than an event's photos take to be read and made.
PATIENCE_SECONDS = 1.0
_SHOWS_GUEST = b',"has_face_match":'
_SEAL_BYTES = 8


#: A photo's JSON object up to whether it shows the guest, and the digest of that. A plain tuple: of
#: bytes alone, which the collector of garbage leaves out. It took 100 ms every few seconds, in
#: which nobody is answered, to look through 100,000 objects of a class.
PhotoPart = tuple[bytes, bytes]


class PhotoParts:
    """The parts of a process, bounded in bytes; the least recently used go first.

    A part is found by all that it was made of: the photo's row, by its version, and what the event
    says of all of its photos, by its seal. So no part is ever older than the statement that named
    it, whatever was committed and whichever messages came: none of them has to drop one.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parts: OrderedDict[int, tuple[int, PhotoPart]] = OrderedDict()
        self._size_bytes = 0
        self._making: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def making(self, event_id: int) -> AsyncIterator[None]:
        """Be the one who makes parts of the event; whoever waited for it finds them first.

        A rush after a start would otherwise make each part as often as lists are read at once, and
        nobody else is answered meanwhile. Nobody waits for long for one whose database is away.
        """
        lock = self._making.setdefault(event_id, asyncio.Lock())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await lock.acquire()
        except TimeoutError:
            yield
            return
        try:
            yield
        finally:
            lock.release()

    def find(
        self, photo_ids: Sequence[int], versions: Sequence[int], seal: int
    ) -> list[PhotoPart | None]:
        """Return the parts of these photos, in their order; None for those that are not kept."""
        parts, touch = self._parts, self._parts.move_to_end
        found: list[PhotoPart | None] = []
        for photo_id, version in zip(photo_ids, versions, strict=True):
            kept = parts.get(photo_id)
            if kept is not None and kept[0] == version ^ seal:
                touch(photo_id)
                found.append(kept[1])
            else:
                found.append(None)
        return found

    def keep(self, photo_id: int, version: int, seal: int, part: PhotoPart) -> None:
        """Keep a part in the place of the photo's former one."""
        self._drop(photo_id)
        self._parts[photo_id] = version ^ seal, part
        head, _ = part
        self._size_bytes += len(head) + PART_OVERHEAD_BYTES
        while self._size_bytes > self._max_bytes:
            self._drop(next(iter(self._parts)))

    def _drop(self, photo_id: int) -> None:
        former = self._parts.pop(photo_id, None)
        if former is not None:
            _, (head, _) = former
            self._size_bytes -= len(head) + PART_OVERHEAD_BYTES


def seal_of(event: Event) -> int:
    """Return a digest of what lists say of the event, and of what its links are made with."""
    said = orjson.dumps([event.id, event.name, event.expires_at, event.time_zone])
    return int.from_bytes(hashlib.blake2b(said, digest_size=_SEAL_BYTES).digest(), signed=True)


def guest_part(photo: PhotoRow, event: Event, links: PhotoLinks) -> PhotoPart:
    """Encode a photo of an event that is not over."""
    view = photo_view(photo, event.end, links, time_zone=event.time_zone, for_guest=True)
    view |= {"event_name": event.name}
    head = orjson.dumps(view)[:-1] + _SHOWS_GUEST
    digest = hashlib.blake2b(head, digest_size=DIGEST_BYTES).digest()
    return head, digest

"""Read a list page by page and encode it once, as the bytes that are cached and sent."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import orjson

from services.gallery.lists.cache import EncodedList
from services.gallery.lists.repository import PhotoRow
from services.gallery.web.paging import Page, Place, encode_cursor
from services.gallery.web.views import View

#: Rows read and encoded at a time; between two chunks other requests get their turn.
CHUNK = 500

#: Reads up to `limit` photos behind a place.
Read = Callable[[Place | None, int], Awaitable[list[PhotoRow]]]
#: Turns photos into what the list shows of them.
Show = Callable[[Sequence[PhotoRow]], Awaitable[list[View]]]


@dataclass(frozen=True, slots=True)
class _Chunk:
    photos: list[PhotoRow]
    more: bool


async def encode_list(page: Page, *, read: Read, show: Show) -> EncodedList:
    """Return the page as a bare JSON array, and the cursor of the next one."""
    parts: list[bytes] = []
    next_cursor = None
    async for chunk in _chunks(page, read):
        if chunk.photos:
            parts.append(orjson.dumps(await show(chunk.photos))[1:-1])
        next_cursor = encode_cursor(chunk.photos[-1].place) if chunk.more else None
    return encoded(b"[" + b",".join(parts) + b"]", next_cursor)


def encoded(body: bytes, next_cursor: str | None = None) -> EncodedList:
    """Return the body with its entity tag; a page with a successor differs from one without."""
    digest = hashlib.blake2b(body, digest_size=16, key=(next_cursor or "").encode()).hexdigest()
    return EncodedList(body, f'"{digest}"', next_cursor)


async def _chunks(page: Page, read: Read) -> AsyncIterator[_Chunk]:
    """Yield the page's photos; only its last chunk says whether there are more behind it."""
    after, left = page.after, page.limit
    while True:
        wanted = CHUNK if left is None else min(left, CHUNK)
        found = await read(after, wanted + 1)
        photos, more = found[:wanted], len(found) > wanted
        if left is not None:
            left -= len(photos)
        ends = not more or left == 0
        yield _Chunk(photos, more and ends)
        if ends:
            return
        after = photos[-1].place

"""The header of a photo whose beginning did not decide: the rest is read where it is stored."""

import asyncio
from contextlib import aclosing
from typing import Final

from libs.common.storage.protocol import ObjectStore
from services.ingest.images.header import HeaderReading, ImageHeader

#: What is read at once where a parser wants a few bytes; it doubles, for what lies in a row.
_FIRST_READ_BYTES: Final = 64 * 1024
_MOST_READ_BYTES: Final = 512 * 1024
#: Together some 30 MB. What a crafted file has further on is not looked for.
_MAX_READS: Final = 64


async def read_stored_header(
    reading: HeaderReading, key: str, size_bytes: int, store: ObjectStore
) -> ImageHeader:
    """Go on with a header until it is decided.

    Holds half a megabyte, or a block of metadata. Raises UnusableImage, and what the store raises.
    """
    at_once = _FIRST_READ_BYTES
    for _ in range(_MAX_READS):
        if (wanted := reading.wanted) is None:
            break
        # Files may name places that are far behind their end.
        start = min(wanted.within(size_bytes), size_bytes)
        end = min(start + max(wanted.length, at_once), size_bytes)
        data = await _read(key, start, end, store) if start < end else b""
        await asyncio.to_thread(reading.go_on, start, data, size_bytes)
        at_once = min(2 * at_once, _MOST_READ_BYTES)
    await asyncio.to_thread(reading.end)
    return reading.header


async def _read(key: str, start: int, end: int, store: ObjectStore) -> bytes:
    async with aclosing(store.read(key, start=start, end=end)) as pieces:
        return b"".join([piece async for piece in pieces])

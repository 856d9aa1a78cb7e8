"""A stored object as a file that is whole: what it was when it was uploaded, or an error."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from libs.common.errors import TransientError
from libs.common.storage.protocol import StoreUnavailable
from libs.common.telemetry import metrics

#: What was cut short on its way is whole the second time; what lies there otherwise is not.
FETCHES = 2

#: `ObjectStore.local_file`, or one that is bounded.
Fetch = Callable[[str], AbstractAsyncContextManager[Path]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Content:
    """What a row remembers of the bytes that were uploaded."""

    size_bytes: int
    sha256: bytes


class NotAsUploaded(TransientError):
    """What lies at the key is not what was uploaded.

    It says nothing of the picture, and a later attempt may find it mended.
    """

    def __init__(self, key: str, *, uploaded: Content, found: Content) -> None:
        what = (
            "other bytes"
            if found.size_bytes == uploaded.size_bytes
            else f"{found.size_bytes} bytes in place of {uploaded.size_bytes}"
        )
        super().__init__(f"the stored object {key} is not what was uploaded: it has {what}")
        self.key = key


@asynccontextmanager
async def whole_file(fetch: Fetch, key: str, uploaded: Content) -> AsyncIterator[Path]:
    """Yield the object as a file for native code, which is given no other bytes than those.

    A decoder tells half a picture from a damaged one no better than we do, so it is not asked.
    Raises ObjectNotFound, StoreUnavailable, and NotAsUploaded once it was fetched again.
    """
    for number in range(1, FETCHES + 1):
        async with fetch(key) as path:
            found = await asyncio.to_thread(_content, path)
            if found == uploaded:
                yield path
                return
        error = NotAsUploaded(key, uploaded=uploaded, found=found)
        metrics.NOT_AS_UPLOADED.inc()
        log.warning("object_not_as_uploaded", key=key, fetch=number, error=error)
    raise error


def _content(path: Path) -> Content:
    """Read the file once; a photo of 5 MB takes 5 to 15 ms, and decoding it reads memory then."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
            return Content(file.tell(), digest)
    except OSError as error:
        raise StoreUnavailable(f"The photo store failed: {error.strerror}.") from error

"""A list of photos as a bare JSON array: whole, or where it is long, sent while it is read."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

import orjson
import structlog
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.types import Message, Send

from libs.common.database.database import Database
from libs.common.errors import Unavailable
from services.gallery.web.answers import View
from services.gallery.web.paging import Page, Place, encode_cursor

#: A list without a limit is kept in memory while it is encoded up to this many photos, about
#: 900 bytes each; a longer one is sent while it is read.
MAX_PHOTOS_IN_MEMORY = 5000
#: A client that takes longer to accept a chunk has gone without saying so. A list that is sent
#: while it is read holds a connection to the database.
SEND_TIMEOUT_SECONDS = 20.0
#: The longest time for all of it: 100,000 photos (83 MB) at 2.2 Mbit/s.
STREAM_TIMEOUT_SECONDS = 300.0
#: Whoever cannot begin by then is asked to come back.
BEGIN_TIMEOUT_SECONDS = 10.0
RETRY_AFTER_SECONDS = 30

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EncodedList:
    """A list ready to be sent; `next_cursor` is None on the last page."""

    body: bytes
    etag: str
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class LongList:
    """A list that is read while it is sent. Closing `parts` frees what they are read from."""

    parts: AsyncGenerator[bytes]
    #: The first part was read already: what can be refused is refused before the answer begins.
    head: bytes


async def encode_page(chunks: AsyncIterator[list[View]], page: Page) -> EncodedList:
    """Return the page of these photos, one more of which says that another page follows."""
    parts: list[bytes] = []
    left = page.limit
    next_cursor = None
    last: View = {}
    async for views in chunks:
        shown = views if left is None else views[:left]
        if shown:
            parts.append(orjson.dumps(shown)[1:-1])
            last = shown[-1]
        if left is not None:
            left -= len(shown)
            if len(shown) < len(views):
                next_cursor = _cursor(last)
    body = b"[" + b",".join(parts) + b"]"
    # A page with a successor differs from one without.
    digest = hashlib.blake2b(body, digest_size=16, key=(next_cursor or "").encode()).hexdigest()
    return EncodedList(body, f'"{digest}"', next_cursor)


async def encode_long(chunks: AsyncIterator[list[View]]) -> AsyncIterator[bytes]:
    """Yield the whole list in parts; without the last one it is no JSON."""
    opening = b"["
    async for views in chunks:
        yield opening + orjson.dumps(views)[1:-1]
        opening = b","
    yield b"[]" if opening == b"[" else b"]"


@asynccontextmanager
async def long_list(database: Database, slots: asyncio.Semaphore) -> AsyncIterator[AsyncConnection]:
    """A connection for a list that is sent while it is read. Raises Unavailable."""
    try:
        async with asyncio.timeout(BEGIN_TIMEOUT_SECONDS):
            await slots.acquire()
    except TimeoutError as error:
        msg = "Too many long lists are being sent. Ask for pages by ?limit=, or come back."
        raise Unavailable(msg, retry_after_seconds=RETRY_AFTER_SECONDS) from error
    try:
        async with database.snapshot() as connection:
            yield connection
    finally:
        slots.release()


async def begun(parts: AsyncGenerator[bytes]) -> LongList:
    """Return the list with its first part read. Raises what reading it raises."""
    return LongList(parts, await anext(parts))


def list_answer(request: Request, found: EncodedList | LongList, page: Page) -> Response:
    """Answer the list with its tag and the next page's address, or 304 if it is known."""
    # The browser may keep a list, but asks each time whether it is still right.
    headers = {"Cache-Control": "private, no-cache"}
    if isinstance(found, LongList):
        return _LongAnswer(found, headers)
    headers["ETag"] = found.etag
    if found.next_cursor is not None and page.limit is not None:
        query = urlencode({"limit": page.limit, "cursor": found.next_cursor})
        headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
    if _names(request.headers.get("if-none-match", ""), found.etag):
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type="application/json", headers=headers)


class _LongAnswer(StreamingResponse):
    """Ends the connection, and not only the array, where the list cannot be read to its end."""

    def __init__(self, found: LongList, headers: dict[str, str]) -> None:
        super().__init__(_all_parts(found), media_type="application/json", headers=headers)
        self._parts = found.parts

    async def stream_response(self, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                await send(message)

        async with aclosing(self._parts):
            try:
                async with asyncio.timeout(STREAM_TIMEOUT_SECONDS):
                    await super().stream_response(send_in_time)
            except TimeoutError:
                # The server sees an answer without its end, and closes the connection.
                log.info("long_list_not_taken")


async def _all_parts(found: LongList) -> AsyncIterator[bytes]:
    yield found.head
    async for part in found.parts:
        yield part


def _cursor(last: View) -> str:
    uploaded_at, photo_id = last["uploaded_at"], last["id"]
    assert isinstance(uploaded_at, datetime)  # noqa: S101 - as photo_view makes it
    assert isinstance(photo_id, int)  # noqa: S101 - as photo_view makes it
    return encode_cursor(Place(uploaded_at, photo_id))


def _names(if_none_match: str, etag: str) -> bool:
    """Whether the header names the tag, by weak comparison (RFC 9110, 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]

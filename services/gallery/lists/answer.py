"""What a list is answered with: photos as JSON objects, a bare array of them with its tag, or 304.

A photo's columns are those of `PhotoRow`, which the index of pages holds; a list adds what only it
says (`participant_lists._views`, `photographer_lists._views`).
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

import orjson
import structlog
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from libs.common.storage.keys import photo_key, rendition_key
from libs.common.web.signed_urls import SignedUrls
from services.gallery.lists.long_lists import LongList
from services.gallery.lists.repository import PhotoRow
from services.gallery.web.answers import View
from services.gallery.web.paging import Page, Place, encode_cursor

#: The longest time for all of a long list, which takes room that others wait for: 100,000 photos
#: (83 MB) at 2.2 Mbit/s.
STREAM_TIMEOUT_SECONDS = 300.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EncodedList:
    """A list ready to be sent; `next_cursor` is None on the last page."""

    body: bytes
    etag: str
    next_cursor: str | None = None


def photo_view(photo: PhotoRow, expires_at: datetime, urls: SignedUrls) -> View:
    """Return `photo`; its URLs are the same at every call, so that browsers keep the bytes."""
    thumbnail = rendition_key(photo.event_id, photo.filename, "thumbnail")
    preview = rendition_key(photo.event_id, photo.filename, "preview")
    return {
        "id": photo.id,
        "filename": photo.filename,
        "original_filename": photo.original_filename,
        "file_path": None,
        "content_type": photo.content_type,
        "photo_type": "uploaded",
        "user_id": None,
        "photographer_id": photo.photographer_id,
        "uploaded_at": photo.uploaded_at,
        "event_id": photo.event_id,
        "width": photo.width,
        "height": photo.height,
        "taken_at": photo.taken_at,
        "url": urls.sign(photo_key(photo.event_id, photo.filename), expires_at),
        "thumbnail_url": urls.sign(thumbnail, expires_at),
        "preview_url": urls.sign(preview, expires_at),
        "placeholder": photo.placeholder,
        "processing_status": photo.processing_status,
    }


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


def list_answer(request: Request, found: EncodedList | LongList, page: Page) -> Response:
    """Answer the list with its tag and the next page's address, or 304 if it is known."""
    # The browser may keep a list, but asks each time whether it is still right.
    headers = {"Cache-Control": "private, no-cache", "ETag": found.etag}
    if isinstance(found, EncodedList) and found.next_cursor is not None and page.limit is not None:
        query = urlencode({"limit": page.limit, "cursor": found.next_cursor})
        headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
    if _names(request.headers.get("if-none-match", ""), found.etag):
        if isinstance(found, LongList):
            found.close()
        return Response(status_code=304, headers=headers)
    if isinstance(found, LongList):
        return _LongAnswer(found, headers)
    return Response(found.body, media_type="application/json", headers=headers)


class _LongAnswer(StreamingResponse):
    """Sends the list from its file, to a client that takes it in time, and closes it."""

    def __init__(self, found: LongList, headers: dict[str, str]) -> None:
        length = {"Content-Length": str(found.size_bytes)}
        super().__init__(found.pieces(), media_type="application/json", headers=headers | length)
        self._found = found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._found.close()

    async def stream_response(self, send: Send) -> None:
        try:
            async with asyncio.timeout(STREAM_TIMEOUT_SECONDS):
                await super().stream_response(send)
        except TimeoutError:
            # The server sees an answer shorter than it should be, and closes the connection.
            log.info("long_list_not_taken")


def _cursor(last: View) -> str:
    uploaded_at, photo_id = last["uploaded_at"], last["id"]
    assert isinstance(uploaded_at, datetime)  # noqa: S101 - as photo_view makes it
    assert isinstance(photo_id, int)  # noqa: S101 - as photo_view makes it
    return encode_cursor(Place(uploaded_at, photo_id))


def _names(if_none_match: str, etag: str) -> bool:
    """Whether the header names the tag, by weak comparison (RFC 9110, 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]

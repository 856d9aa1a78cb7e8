"""Photos as JSON: what lists say of one, and a page of them, or a whole short list, as an array.

A photo's columns are those of `PhotoRow`, which the index of pages holds; a list adds what only it
says (`participant_lists._views`, `photographer_lists._views`).
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.storage.keys import photo_key, rendition_key
from libs.common.web.signed_urls import SignedUrls
from services.gallery.lists.repository import Choice, PhotoRow, is_longer
from services.gallery.web.answers import View
from services.gallery.web.paging import Page, Place, encode_cursor

#: A list without a limit is kept in memory while it is encoded up to this many photos, about
#: 900 bytes each; a longer one goes through a file (`LongLists`).
MAX_PHOTOS_IN_MEMORY = 5000


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


async def encode_list(
    connection: AsyncConnection, choice: Choice, chunks: AsyncIterator[list[View]], page: Page
) -> EncodedList | None:
    """Return the page of the chosen photos, None where it is too long to be held in memory."""
    if page.limit is None and await is_longer(connection, choice, MAX_PHOTOS_IN_MEMORY):
        return None
    return await encode_page(chunks, page)


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


def _cursor(last: View) -> str:
    uploaded_at, photo_id = last["uploaded_at"], last["id"]
    assert isinstance(uploaded_at, datetime)  # noqa: S101 - as photo_view makes it
    assert isinstance(photo_id, int)  # noqa: S101 - as photo_view makes it
    return encode_cursor(Place(uploaded_at, photo_id))

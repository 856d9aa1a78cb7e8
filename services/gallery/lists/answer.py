"""What a list is answered with: photos as JSON objects, a bare array of them with its tag, or 304.

A photo's columns are those of `PhotoRow`, which the index of pages holds; a list adds what only it
says (`participant_lists._views`, `photographer_lists._views`).
"""

import asyncio
from collections.abc import AsyncIterator

import orjson
import structlog
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from libs.common.web.answer_headers import Header
from libs.common.web.at_once import ReadyAnswer
from services.gallery.events.links import PhotoLinks
from services.gallery.events.rules import EventEnd
from services.gallery.events.time_zones import shown_clock
from services.gallery.lists.codings import Coding, coding_for
from services.gallery.lists.list_page import ListPage, PlacedView
from services.gallery.lists.long_lists import LongList
from services.gallery.lists.repository import PhotoRow
from services.gallery.web.answers import View
from services.gallery.web.paging import Page, Place, encode_cursor, next_page

#: The longest time for all of a long list, which takes room that others wait for: 100,000 photos
#: (83 MB) at 2.2 Mbit/s.
STREAM_TIMEOUT_SECONDS = 300.0

#: The browser may keep a list, but asks each time whether it is still right.
HEADERS = {
    "Cache-Control": "private, no-cache",
    "Vary": "Accept-Encoding, Authorization, Cookie",
}
JSON = "application/json"

log = structlog.get_logger(__name__)


def _raw(headers: dict[str, str]) -> tuple[Header, ...]:
    return tuple((name.lower().encode(), value.encode()) for name, value in headers.items())


_COMMON = _raw(HEADERS)
_COMMON_WITH_BODY = {
    coding: _raw(
        HEADERS
        | {"Content-Type": JSON}
        | ({} if coding is Coding.IDENTITY else {"Content-Encoding": coding.value})
    )
    for coding in Coding
}


def photo_view(
    photo: PhotoRow,
    end: EventEnd,
    links: PhotoLinks,
    *,
    time_zone: str | None,
    for_guest: bool = False,
) -> View:
    """Return `photo`; its URLs are the same at every call, so that browsers keep the bytes.

    What a guest's names is the copy for guests (`media.renditions.guest_copies`). In an event that
    has a time zone, all photos tell when they were taken by its clocks, not by their cameras'.
    """
    taken_at, offset = shown_clock(
        time_zone, photo.taken_instant, camera=photo.taken_at, offset=photo.taken_at_offset
    )
    urls = links.of_photo(photo.event_id, photo.filename, end, for_guest=for_guest)
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
        "taken_at": taken_at,
        "taken_at_offset": offset,
        "url": urls.whole,
        "thumbnail_url": urls.thumbnail,
        "preview_url": urls.preview,
        "placeholder": photo.placeholder,
        "processing_status": photo.processing_status,
    }


async def encode_page(chunks: AsyncIterator[list[PlacedView]], page: Page) -> ListPage:
    """Return the page of these photos, one more of which says that another page follows."""
    parts: list[bytes] = []
    left = page.limit
    follows = False
    last: Place | None = None
    async for placed in chunks:
        shown = placed if left is None else placed[:left]
        if shown:
            parts.append(orjson.dumps([view for view, _ in shown])[1:-1])
            last = shown[-1][1]
        if left is not None:
            left -= len(shown)
            follows = follows or len(shown) < len(placed)
    cursor = encode_cursor(last) if follows and last is not None else None
    return ListPage.of_body(b"[" + b",".join(parts) + b"]", cursor)


async def list_answer(request: Request, found: ListPage | LongList, page: Page) -> Response:
    """Answer the list with its tag and the next page's address, or 304 if it is known."""
    if isinstance(found, LongList):
        return _long_answer(request, found)
    coding = found.coding(accepted_coding(request))
    if _is_known(request, found.etag(coding)):
        answer = Response(status_code=304)
        answer.raw_headers += _COMMON
    else:
        answer = Response(await found.body(coding))
        answer.raw_headers += _COMMON_WITH_BODY[coding]
    answer.raw_headers += _said_of(request, found, page, coding)
    return answer


def ready_list(request: Request, found: ListPage, page: Page, wanted: Coding) -> ReadyAnswer:
    """Return what `list_answer` does, of a list whose bytes are there in the coding."""
    coding = found.coding(wanted)
    said = _said_of(request, found, page, coding)
    if _is_known(request, found.etag(coding)):
        return ReadyAnswer(304, _COMMON, said, b"")
    body = found.bodies[coding]
    length = (b"content-length", b"%d" % len(body))
    return ReadyAnswer(200, _COMMON_WITH_BODY[coding], [*said, length], body)


def accepted_coding(request: Request) -> Coding:
    """Return the coding in which the client gets what is large enough for one."""
    return coding_for(request.headers.get("accept-encoding", ""))


def _said_of(request: Request, found: ListPage, page: Page, coding: Coding) -> list[Header]:
    """Return what is said of this page alone."""
    said = [(b"etag", found.etag(coding).encode())]
    if found.next_cursor is not None and page.limit is not None:
        query = {"limit": page.limit, "cursor": found.next_cursor} | page.order
        said.append((b"link", next_page(request, query).encode()))
    return said


def _is_known(request: Request, etag: str) -> bool:
    header = request.headers.get("if-none-match")
    return header is not None and _names(header, etag)


def _long_answer(request: Request, found: LongList) -> Response:
    headers = HEADERS | {"ETag": found.etag}
    if _is_known(request, found.etag):
        found.close()
        return Response(status_code=304, headers=headers)
    return _LongAnswer(found, headers)


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


def _names(if_none_match: str, etag: str) -> bool:
    """Whether the header names the tag, by weak comparison (RFC 9110, 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]

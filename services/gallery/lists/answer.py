"""The answer to a request for a list: a bare JSON array with its tag, or 304."""

import asyncio
from urllib.parse import urlencode

import structlog
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.gallery.lists.encode import EncodedList
from services.gallery.lists.long_lists import LongList
from services.gallery.web.paging import Page

#: The longest time for all of a long list, which takes room that others wait for: 100,000 photos
#: (83 MB) at 2.2 Mbit/s.
STREAM_TIMEOUT_SECONDS = 300.0

log = structlog.get_logger(__name__)


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


def _names(if_none_match: str, etag: str) -> bool:
    """Whether the header names the tag, by weak comparison (RFC 9110, 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]

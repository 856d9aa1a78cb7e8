"""Encoded lists and objects as HTTP answers."""

from urllib.parse import urlencode

import orjson
from fastapi import Request, Response

from services.gallery.lists.cache import EncodedList
from services.gallery.web.paging import Page


def json_answer(value: object) -> Response:
    """Answer a JSON value; moments are ISO 8601 with their offset."""
    return Response(orjson.dumps(value), media_type="application/json")


def list_answer(request: Request, found: EncodedList, page: Page) -> Response:
    """Answer the list with its tag and the next page's address, or 304 if it is known."""
    # The browser may keep a list, but asks each time whether it is still right.
    headers = {"ETag": found.etag, "Cache-Control": "private, no-cache"}
    if found.next_cursor is not None and page.limit is not None:
        query = urlencode({"limit": page.limit, "cursor": found.next_cursor})
        headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
    if _names(request.headers.get("if-none-match", ""), found.etag):
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type="application/json", headers=headers)


def _names(if_none_match: str, etag: str) -> bool:
    """Whether the header names the tag, by weak comparison (RFC 9110, 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]

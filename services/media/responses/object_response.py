"""An object as an HTTP answer: one send for small ones, pieces for large ones.

Written against ASGI because it is ten times as fast on thumbnails as Starlette's
FileResponse (15,000 against 1,300 to 2,100 requests a second for 40 KB).
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.status import (
    HTTP_206_PARTIAL_CONTENT,
    HTTP_304_NOT_MODIFIED,
    HTTP_416_RANGE_NOT_SATISFIABLE,
)
from starlette.types import Receive, Scope, Send

from libs.common.storage.protocol import ObjectInfo, ObjectStore
from services.media.metrics import BYTES_SENT
from services.media.responses.byte_range import Answer, Conditions, choose

#: Up to here an object is read whole and sent at once.
ONE_SEND_BYTES = 256 * 1024
#: A loop of reads and sends never yields while the socket drains; a yield this often cut the
#: 99th percentile at 64 connections from 351 to 150 ms.
YIELD_EVERY_BYTES = 256 * 1024

FALLBACK_TYPE = "application/octet-stream"


class ObjectResponse(Response):
    """Serves an object with a strong ETag, conditional requests, ranges and HEAD."""

    def __init__(
        self,
        request: Request,
        *,
        store: ObjectStore,
        info: ObjectInfo,
        content_type: str,
        cache_control: str,
        filename: str | None = None,
    ) -> None:
        self.background = None
        self._store = store
        self._info = info
        self._answer = choose(_conditions(request), size_bytes=info.size_bytes, etag=info.etag)
        self._sends_body = request.method != "HEAD" and self._answer.length > 0
        self.status_code = self._answer.status
        headers = {"etag": info.etag, "cache-control": cache_control}
        if self.status_code != HTTP_304_NOT_MODIFIED:
            headers |= _body_headers(self._answer, info.size_bytes) | {
                "content-disposition": content_disposition(filename),
                "content-type": _safe_type(content_type),
                "x-content-type-options": "nosniff",
            }
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._sends_body:
            await self._start(send)
            await send({"type": "http.response.body", "body": b""})
            return
        pieces = self._store.read(self._info.key, start=self._answer.start, end=self._answer.end)
        if self._answer.length <= ONE_SEND_BYTES:
            # Read before the head is sent: a store that fails is still a clean 404 or 503.
            body = b"".join([piece async for piece in pieces])
            await self._start(send)
            await send({"type": "http.response.body", "body": body})
            BYTES_SENT.inc(len(body))
            return
        await self._stream(pieces, receive, send)

    async def _stream(
        self, pieces: AsyncGenerator[bytes, None], receive: Receive, send: Send
    ) -> None:
        gone = asyncio.create_task(_client_leaves(receive))
        try:
            async with aclosing(pieces):
                piece = await anext(pieces)
                await self._start(send)
                since_yield = 0
                while piece and not gone.done():
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    BYTES_SENT.inc(len(piece))
                    since_yield += len(piece)
                    if since_yield >= YIELD_EVERY_BYTES:
                        since_yield = 0
                        await asyncio.sleep(0)
                    piece = await anext(pieces, b"")
            if not gone.done():
                await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone

    async def _start(self, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )


def content_disposition(filename: str | None) -> str:
    """Show in the page; save under this name (RFC 6266, with RFC 8187 for any letter)."""
    if not filename:
        return "inline"
    # Browsers take the name's last segment; a control letter could end the header.
    name = "".join(
        "_" if letter in '/\\"' or not letter.isprintable() else letter for letter in filename
    )
    encoded = quote(name, safe="")
    if name.isascii():
        return f'inline; filename="{name}"'
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    return f"inline; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


def _conditions(request: Request) -> Conditions:
    headers = request.headers
    return Conditions(
        if_none_match=headers.get("if-none-match"),
        # The RFC defines ranges for GET only; HEAD answers for the whole.
        range=headers.get("range") if request.method == "GET" else None,
        if_range=headers.get("if-range"),
    )


def _body_headers(answer: Answer, size_bytes: int) -> dict[str, str]:
    headers = {"accept-ranges": "bytes", "content-length": str(answer.length)}
    if answer.status == HTTP_206_PARTIAL_CONTENT:
        headers["content-range"] = f"bytes {answer.start}-{answer.end - 1}/{size_bytes}"
    if answer.status == HTTP_416_RANGE_NOT_SATISFIABLE:
        headers["content-range"] = f"bytes */{size_bytes}"
    return headers


def _safe_type(content_type: str) -> str:
    """Nothing that a browser would run leaves this origin as what it says it is."""
    is_picture = content_type.startswith("image/") and "svg" not in content_type
    return content_type if is_picture else FALLBACK_TYPE


async def _client_leaves(receive: Receive) -> None:
    """Return when the client has gone: uvicorn drops what is sent afterwards, silently."""
    while (await receive())["type"] != "http.disconnect":
        pass

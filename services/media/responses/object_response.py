"""An object as an HTTP answer: one send for small ones, the kernel or pieces for large ones.

Files are the kernel's to send (`file_body.py`). Of other stores a large object is read at the pace
of its client, of whom some are slow and some never read at all: while one lets wait, nothing of
the store is held for it, neither connection nor open file.

Written against ASGI because it is ten times as fast on thumbnails as Starlette's
FileResponse (15,000 against 1,300 to 2,100 requests a second for 40 KB).
"""

import asyncio

import structlog
from starlette.responses import Response
from starlette.status import HTTP_304_NOT_MODIFIED, HTTP_412_PRECONDITION_FAILED
from starlette.types import Receive, Scope, Send

from libs.common import tasks
from libs.common.errors import FindMeError
from libs.common.storage.protocol import StoreUnavailable
from libs.common.storage.stored_file import StoredFile
from libs.common.web.at_once import ReadyAnswer
from libs.common.web.file_sending import file_sender
from services.media.metrics import BYTES_SENT
from services.media.responses import downloads as turns
from services.media.responses import headers
from services.media.responses.byte_range import Answer, Conditions, choose
from services.media.responses.downloads import PART_BYTES, Downloads
from services.media.responses.file_body import FileBody, read_whole
from services.media.responses.headers import NOT_KEPT
from services.media.responses.sources import Source

log = structlog.get_logger(__name__)

#: Up to here a file is read at once: thumbnails. Above, the kernel sends it for less.
SMALL_FILE_BYTES = 256 * 1024
#: Up to here an object of other stores is read whole, at the store's pace, and sent at once:
#: thumbnails and previews. What its client does not take is memory, until it is cut off.
ONE_SEND_BYTES = 1024 * 1024
#: A loop of reads and sends never yields while the socket drains; a yield this often cut the
#: 99th percentile at 64 connections from 351 to 150 ms.
YIELD_EVERY_BYTES = 256 * 1024

_CONDITIONAL_HEADERS = frozenset({b"if-match", b"if-none-match", b"range", b"if-range"})
#: With one of these in the request the answer may have no body.
_WITHOUT_BODY = frozenset({b"if-match", b"if-none-match"})


class ObjectResponse(Response):
    """Serves an object with a strong ETag, conditional requests, ranges and HEAD."""

    def __init__(
        self,
        scope: Scope,
        *,
        source: Source,
        downloads: Downloads,
        content_type: str,
        cache_control: str,
        filename: str | None = None,
        file: StoredFile | None = None,
        is_download: bool = False,
        sends_parts: bool = True,
    ) -> None:
        """A `file` that was opened already is closed by the answer, which follows at once.

        `is_download` has browsers keep it as a file and not show it.
        """
        self.background = None
        self._source = source
        self._downloads = downloads
        self._file = file
        self._is_started = False
        info = source.info
        wanted = conditions(scope, sends_parts=sends_parts)
        self._answer = choose(wanted, size_bytes=info.size_bytes, etag=info.etag)
        self._sends_body = scope["method"] != "HEAD" and self._answer.length > 0
        self.status_code = self._answer.status
        self.raw_headers = [
            (b"etag", info.etag.encode("latin-1")),
            (b"cache-control", _kept(self._answer, cache_control)),
        ]
        if self.status_code != HTTP_304_NOT_MODIFIED:
            self.raw_headers += headers.of_body(self._answer, info.size_bytes)
            self.raw_headers += headers.of_object(content_type, filename, is_download=is_download)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; an answer that cannot go on is left incomplete, and the server hangs up.

        Raises what the source raises before anything was sent.
        """
        try:
            await self._send(scope, receive, send)
        except FindMeError as error:
            if not self._is_started:
                raise
            # Nothing can be said to the client any more.
            log.warning("answer_broken_off", key=self._source.info.key, error=error)

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Opened, or read, before the head is sent: a store that fails is still a clean 404 or 503.
        file = self._file
        try:
            if file is None and self._sends_body:
                file = self._source.open_file()
            sender = file_sender(scope) if file is not None else None
            body = await self._at_once(file, is_sent_by_kernel=sender is not None)
        finally:
            if file is not None:
                file.close()
        if body is not None:
            await self._start(send)
            await send({"type": "http.response.body", "body": body})
            BYTES_SENT.inc(len(body))
        elif sender is not None:
            await self._start(send)
            file_body = FileBody(self._source, sender, streams=self._downloads.streams)
            await file_body.send(self._answer, send)
        else:
            await self._stream(receive, send)

    async def _at_once(
        self, file: StoredFile | None, *, is_sent_by_kernel: bool
    ) -> bytes | bytearray | None:
        """Return the whole body, None where it is too large for that."""
        if not self._sends_body:
            return b""
        if self._answer.length > (SMALL_FILE_BYTES if is_sent_by_kernel else ONE_SEND_BYTES):
            return None
        if file is not None:
            return await read_whole(file, self._source, self._answer)
        pieces = self._source.read(self._answer.start, self._answer.end)
        return b"".join([piece async for piece in pieces])

    async def _stream(self, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_client_leaves(receive))
        position, at_once = self._answer.start, self._answer.length
        try:
            while position < self._answer.end and not gone.done():
                part_end = min(position + at_once, self._answer.end)
                position, keeps_up = await self._send_part(position, part_end, send, gone)
                if keeps_up:
                    at_once *= 2
                elif not gone.done():
                    at_once = PART_BYTES
                    # Once the client has taken what was sent before: the head, or nothing.
                    await self._start(send)
                    await send({"type": "http.response.body", "body": b"", "more_body": True})
            if not gone.done():
                await send({"type": "http.response.body", "body": b""})
        finally:
            await tasks.end(gone)

    async def _send_part(
        self, position: int, end: int, send: Send, gone: "asyncio.Task[None]"
    ) -> tuple[int, bool]:
        """Send a part of the object; return where it ended, and whether the client keeps up."""
        since_yield = 0
        async with self._downloads.reading(
            self._source, position, end, is_midway=self._is_started
        ) as part:
            async for piece in part.pieces:
                if gone.done() or not await self._is_taken(piece, send):
                    return position, False
                position += len(piece)
                BYTES_SENT.inc(len(piece))
                since_yield += len(piece)
                if since_yield >= YIELD_EVERY_BYTES:
                    since_yield = 0
                    await asyncio.sleep(0)
        if position < part.end:
            raise StoreUnavailable(f"The photo store gave {position} bytes of {part.end}.")
        return position, True

    async def _is_taken(self, piece: bytes, send: Send) -> bool:
        """Send a piece; False when the client has not taken what was sent before it."""
        try:
            # A send waits before it writes: given up, it has written nothing.
            async with asyncio.timeout(turns.PATIENCE_SECONDS):
                await self._start(send)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except TimeoutError:
            return False
        return True

    async def _start(self, send: Send) -> None:
        """Send the head, once."""
        if self._is_started:
            return
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        self._is_started = True


def ready_file(
    scope: Scope, file: StoredFile, *, content_type: str, cache_control: str
) -> ReadyAnswer | None:
    """Return what `ObjectResponse` answers with a small file, None if memory has not all of it."""
    info = file.info
    answer = choose(conditions(scope), size_bytes=info.size_bytes, etag=info.etag)
    if answer.length > SMALL_FILE_BYTES:
        return None
    sends_body = scope["method"] != "HEAD" and answer.length
    body = file.read_at_once(answer.start, answer.end) if sends_body else b""
    if body is None:
        return None
    BYTES_SENT.inc(len(body))
    tag = (b"etag", info.etag.encode("latin-1"))
    kept = (b"cache-control", _kept(answer, cache_control))
    if answer.status == HTTP_304_NOT_MODIFIED:
        return ReadyAnswer(answer.status, (kept,), [tag], body)
    of_object = headers.of_object(content_type, None)
    said = [tag, *headers.of_body(answer, info.size_bytes)]
    return ReadyAnswer(answer.status, (kept, *of_object), said, body)


def _kept(answer: Answer, cache_control: str) -> bytes:
    # What is said of the tag that one client has is no answer for those who ask without.
    is_of_one = answer.status == HTTP_412_PRECONDITION_FAILED
    return (NOT_KEPT if is_of_one else cache_control).encode("latin-1")


def wants_body(scope: Scope) -> bool:
    """Whether the answer will surely have one, if the object is there."""
    return scope["method"] == "GET" and not any(
        name in _WITHOUT_BODY for name, _ in scope["headers"]
    )


def conditions(scope: Scope, *, sends_parts: bool = True) -> Conditions:
    """Return what the request says about the bytes it wants."""
    found = {
        name: value.decode("latin-1")
        for name, value in scope["headers"]
        if name in _CONDITIONAL_HEADERS
    }
    return Conditions(
        if_match=found.get(b"if-match"),
        if_none_match=found.get(b"if-none-match"),
        # The RFC defines ranges for GET only; HEAD answers for the whole.
        range=found.get(b"range") if scope["method"] == "GET" and sends_parts else None,
        if_range=found.get(b"if-range"),
    )


async def _client_leaves(receive: Receive) -> None:
    """Return when the client has gone: uvicorn drops what is sent afterwards, silently."""
    while (await receive())["type"] != "http.disconnect":
        pass

"""The body of an answer from the object's own file: small ones read, large ones by the kernel.

While a client lets wait, its file is closed: an object that is deleted meanwhile ends there, and
whoever never reads holds no file.
"""

import asyncio
from contextlib import AsyncExitStack

from starlette.types import Send

from libs.common.storage.protocol import StoreUnavailable
from libs.common.storage.stored_file import StoredFile
from libs.common.web.file_sending import FileSender
from services.media.metrics import BYTES_SENT
from services.media.responses import downloads
from services.media.responses.byte_range import Answer
from services.media.responses.sources import Source, Span


async def read_whole(file: StoredFile, source: Source, answer: Answer) -> bytes | bytearray:
    """Return the body of what is small enough to be sent at once."""
    spans = [*source.spans(answer.start, answer.end)]
    if len(spans) == 1 and isinstance(span := spans[0], Span):
        piece = file.read_at_once(span.start, span.end)
        return piece if piece is not None else await file.read(span.start, span.end)
    return b"".join(
        [
            await file.read(span.start, span.end) if isinstance(span, Span) else span
            for span in spans
        ]
    )


class FileBody:
    """Sends the body of one answer, by the kernel where it is the file's."""

    def __init__(self, source: Source, sender: FileSender, *, streams: asyncio.Semaphore) -> None:
        """Whoever has one of the `streams` waits for the client with the file open, for a while."""
        self._source = source
        self._sender = sender
        self._streams = streams

    async def send(self, answer: Answer, send: Send) -> None:
        """Send the body after its head.

        Raises ObjectNotFound and StoreUnavailable, also midway: the connection ends then.
        """
        for span in self._source.spans(answer.start, answer.end):
            if isinstance(span, Span):
                await self._send_span(span)
            else:
                await send({"type": "http.response.body", "body": span, "more_body": True})
                BYTES_SENT.inc(len(span))
            if self._sender.is_gone:
                return
        await send({"type": "http.response.body", "body": b""})

    async def _send_span(self, span: Span) -> None:
        position = span.start
        while True:
            await self._sender.ready()
            sent_to = await self._send_part(position, span.end)
            BYTES_SENT.inc(sent_to - position)
            position = sent_to
            if position == span.end or self._sender.is_gone:
                return
            await self._sender.room()

    async def _send_part(self, start: int, end: int) -> int:
        """Send for as long as the client keeps up; return up to where."""
        async with AsyncExitStack() as held:
            patience = 0.0
            if not self._streams.locked():
                await held.enter_async_context(self._streams)
                patience = downloads.PATIENCE_SECONDS
            file = self._source.open_file()
            if file is None:
                msg = "The photo store's objects are no files any more."
                raise StoreUnavailable(msg)
            return await self._sender.send(
                held.enter_context(file), start, end, patience_seconds=patience
            )

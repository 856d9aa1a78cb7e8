"""A request's body as it arrives: bounded in size, and given up when the client stalls."""

import asyncio

from starlette.types import Receive

from libs.common.errors import InvalidInput, TooLarge
from services.ingest.settings import MEGABYTE


class BrokenBody(InvalidInput):
    """The body cannot be read to its end; what was complete before is not affected."""


class BodyTooLarge(TooLarge):
    """The body is larger than the route takes."""


class RequestBody:
    """Reads the raw ASGI stream; nothing is spooled, a chunk is gone when it was read."""

    def __init__(self, receive: Receive, *, max_bytes: int, stall_seconds: float) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._stall_seconds = stall_seconds
        self._read_bytes = 0
        self._ended = False

    async def read(self) -> bytes:
        """Return the next chunk, b"" at the end.

        Raises BrokenBody when the client goes away or stalls, BodyTooLarge above the limit.
        """
        while not self._ended:
            try:
                async with asyncio.timeout(self._stall_seconds):
                    message = await self._receive()
            except TimeoutError as error:
                msg = f"Nothing arrived for {self._stall_seconds:g} s, so the upload was given up."
                raise BrokenBody(msg) from error
            if message["type"] == "http.disconnect":
                msg = "The connection was closed before the upload was complete."
                raise BrokenBody(msg)
            self._ended = not message.get("more_body", False)
            chunk: bytes = message.get("body", b"")
            self._read_bytes += len(chunk)
            if self._read_bytes > self._max_bytes:
                raise body_too_large(self._max_bytes)
            if chunk:
                return chunk
        return b""


def check_announced_size(content_length: str | None, *, max_bytes: int) -> None:
    """Raises BodyTooLarge when the header already says that the body is above the limit."""
    if content_length and content_length.isdecimal() and int(content_length) > max_bytes:
        raise body_too_large(max_bytes)


def body_too_large(max_bytes: int) -> BodyTooLarge:
    """The error that names the limit."""
    return BodyTooLarge(f"A request may have at most {in_megabytes(max_bytes)}. Send less at once.")


def in_megabytes(size_bytes: int) -> str:
    """Return a size as people read it, for example `5 MB`."""
    return f"{size_bytes / MEGABYTE:g} MB"

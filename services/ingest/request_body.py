"""A request's body as it arrives: bounded, given up when the client stalls, read part by part.

multipart/form-data (RFC 7578), without ever holding a part whole.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.types import Receive

from libs.common.errors import InvalidInput, TooLarge
from libs.common.settings import MEGABYTE


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


class MalformedMultipart(BrokenBody):
    """The body is not multipart/form-data."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"The request cannot be read: {problem}. Send the file as multipart/form-data."
        )


@dataclass(frozen=True, slots=True)
class PartHead:
    """A part begins. `filename` is as sent, None for a plain field."""

    name: str
    filename: bytes | None


@dataclass(frozen=True, slots=True)
class PartEnd:
    """A part ends."""


@dataclass(frozen=True, slots=True)
class FormEnd:
    """The closing boundary: no part comes after it."""


#: Bytes are a piece of the present part's content.
Event = PartHead | bytes | PartEnd | FormEnd


class MultipartDecoder:
    """Turns chunks, cut anywhere, into events; keeps no more than a part's headers."""

    def __init__(self, content_type: str) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise MalformedMultipart("its Content-Type is not multipart/form-data with a boundary")
        self._events: list[Event] = []
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._disposition = b""
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": lambda: self._events.append(PartEnd()),
                    "on_end": lambda: self._events.append(FormEnd()),
                },
            )
        except FormParserError as error:
            raise MalformedMultipart("its boundary is too long") from error

    def feed(self, chunk: bytes) -> list[Event]:
        """Return what the chunk completes. Raises MalformedMultipart."""
        self._events = []
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise MalformedMultipart("a part is malformed") from error
        return self._events

    def _on_part_begin(self) -> None:
        self._disposition = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _on_headers_finished(self) -> None:
        kind, options = parse_options_header(self._disposition)
        name = options.get(b"name")
        if kind != b"form-data" or name is None:
            raise MalformedMultipart("a part has no name")
        self._events.append(PartHead(name.decode("utf-8", "replace"), options.get(b"filename")))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(data[start:end])


class MultipartReader:
    """The parts of a body, one after the other; a part that is not read is skipped."""

    def __init__(self, body: RequestBody, content_type: str) -> None:
        self._body = body
        self._decoder = MultipartDecoder(content_type)
        self._events: deque[Event] = deque()
        self._in_part = False
        self._ended = False

    async def next_part(self) -> "Part | None":
        """Return the next part, None after the last one.

        Raises MalformedMultipart, and what the body raises.
        """
        while not self._ended:
            event = await self._next_event()
            if isinstance(event, PartHead):
                self._in_part = True
                return Part(event, self)
            if isinstance(event, PartEnd):
                self._in_part = False
            self._ended = isinstance(event, FormEnd)
        return None

    async def read_piece(self) -> bytes:
        """Return the next bytes of the present part, b"" at its end."""
        if not self._in_part:
            return b""
        event = await self._next_event()
        if isinstance(event, bytes):
            return event
        self._in_part = False
        return b""

    async def _next_event(self) -> Event:
        while not self._events:
            chunk = await self._body.read()
            if not chunk:
                raise MalformedMultipart("it ends before its last part does")
            self._events.extend(self._decoder.feed(chunk))
        return self._events.popleft()


class Part:
    """One field or file; readable until the next part is asked for."""

    def __init__(self, head: PartHead, reader: MultipartReader) -> None:
        self.name = head.name
        self.filename = head.filename
        self._reader = reader

    async def read(self) -> bytes:
        """Return the next piece of the content, b"" at its end."""
        return await self._reader.read_piece()

    async def read_prefix(self, max_bytes: int) -> bytes:
        """Return the content's beginning: `max_bytes` or a little more, less only at its end."""
        pieces: list[bytes] = []
        size = 0
        while size < max_bytes and (piece := await self.read()):
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)


def multipart_form(field: str, *, repeated: bool = False) -> dict[str, Any]:
    """What OpenAPI says of a form with a file field: the routes read their bodies themselves."""
    file = {"type": "string", "format": "binary"}
    schema = {
        "type": "object",
        "required": [field],
        "properties": {field: {"type": "array", "items": file} if repeated else file},
    }
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }

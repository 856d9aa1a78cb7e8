"""A request's body as it arrives: bounded, given up when the client stalls, read part by part.

multipart/form-data (RFC 7578), without ever holding a part whole.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.types import Receive

from libs.common.errors import InvalidInput, TooLarge
from libs.common.settings import MEGABYTE
from services.ingest.content_disposition import Disposition, parse_disposition


class BrokenBody(InvalidInput):
    """The body cannot be read to its end; what was complete before is not affected."""


class BodyTooLarge(TooLarge):
    """The body is larger than the route takes."""


#: A phone in a field sends more than this; what is waited for on our side is not counted.
MIN_BYTES_PER_SECOND = 512


class RequestBody:
    """Reads the raw ASGI stream; nothing is spooled, a chunk is gone when it was read."""

    def __init__(
        self,
        receive: Receive,
        *,
        max_bytes: int,
        stall_seconds: float,
        least_bytes_per_second: int = MIN_BYTES_PER_SECOND,
        too_large: Callable[[int], TooLarge] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`too_large` makes the error of a body above the limit; BodyTooLarge else.

        Fewer bytes a second than `least_bytes_per_second`, for as long as a client may stall, are
        as good as none.
        """
        self._receive = receive
        self._too_large = too_large or body_too_large
        self._max_bytes = max_bytes
        self._stall_seconds = stall_seconds
        self._least_bytes_per_second = least_bytes_per_second
        self._clock = clock
        self._read_bytes = 0
        self._ended = False
        #: Seconds waited for the client, and what came meanwhile, since that was last judged.
        self._waited_seconds = 0.0
        self._came_bytes = 0

    async def read(self) -> bytes:
        """Return the next chunk, b"" at the end.

        Raises BrokenBody when the client goes away, stalls, or sends next to nothing,
        BodyTooLarge above the limit.
        """
        while not self._ended:
            asked = self._clock()
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
                raise self._too_large(self._max_bytes)
            self._judge_pace(self._clock() - asked, len(chunk))
            if chunk:
                return chunk
        return b""

    def _judge_pace(self, waited_seconds: float, came_bytes: int) -> None:
        """Give up clients that send a byte now and then to hold one of the places for ever."""
        self._waited_seconds += waited_seconds
        self._came_bytes += came_bytes
        if self._ended or self._waited_seconds < self._stall_seconds:
            return
        if self._came_bytes < self._least_bytes_per_second * self._waited_seconds:
            msg = (
                f"Fewer than {self._least_bytes_per_second} bytes a second arrived, so the upload"
                " was given up. Send it again over a better connection."
            )
            raise BrokenBody(msg)
        self._waited_seconds, self._came_bytes = 0.0, 0


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
class PartEnd:
    """A part ends."""


@dataclass(frozen=True, slots=True)
class FormEnd:
    """The closing boundary: no part comes after it."""


#: Bytes are a piece of the present part's content.
#: A part begins with what it says of itself.
Event = Disposition | memoryview | PartEnd | FormEnd


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
        disposition = parse_disposition(self._disposition)
        if disposition is None:
            raise MalformedMultipart("a part has no name")
        self._events.append(disposition)

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(memoryview(data)[start:end])


class MultipartReader:
    """The parts of a body, one after the other; a part that is not read is skipped.

    They have a greatest number: 100,000 empty ones, in 5 MB, cost two seconds of the process.
    """

    def __init__(self, body: RequestBody, content_type: str, *, max_parts: int) -> None:
        self._body = body
        self._max_parts = max_parts
        self._parts = 0
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
            if isinstance(event, Disposition):
                self._parts += 1
                if self._parts > self._max_parts:
                    raise MalformedMultipart(f"it has more than {self._max_parts} parts")
                self._in_part = True
                return Part(event, self)
            if isinstance(event, PartEnd):
                self._in_part = False
            self._ended = isinstance(event, FormEnd)
        return None

    async def read_piece(self) -> bytes | memoryview:
        """Return the next bytes of the present part, b"" at its end."""
        if not self._in_part:
            return b""
        event = await self._next_event()
        if isinstance(event, memoryview):
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

    def __init__(self, head: Disposition, reader: MultipartReader) -> None:
        self.name = head.name
        self.filename = head.filename
        self._reader = reader

    async def read(self) -> bytes | memoryview:
        """Return the next piece of the content, b"" at its end."""
        return await self._reader.read_piece()


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


def raw_body() -> dict[str, Any]:
    """What OpenAPI says of a body that is a file."""
    file = {"type": "string", "format": "binary"}
    return {
        "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": file}}}
    }

"""A guest's connections, cheap enough for one process to be hundreds of guests.

A client library that does more takes as long for an answer as the server does.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import httptools
import orjson

from standalone.gateway_routes import service_for

#: Where each service listens; None is the one that answers everything.
Origins = Mapping[str | None, tuple[str, int]]

OK = 200
#: zlib's window for a gzip header.
_GZIP = 31
#: Refusals that say "try again", as pages do by themselves.
_AGAIN = frozenset({429, 503})
_BOUNDARY = b"findme-benchmark"


@dataclass(slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever the route answers
        """Decode the body."""
        is_packed = self.headers.get(b"content-encoding") == b"gzip"
        return orjson.loads(zlib.decompress(self.body, _GZIP) if is_packed else self.body)


class Refused(Exception):
    """An answer that ends the way of this guest."""


@dataclass(slots=True)
class Tally:
    """What was answered to all guests beside what they wanted."""

    refused: int = 0
    failed: list[str] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """One kept-alive connection: a request at a time, or one endless answer."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._done: asyncio.Future[Answer] | None = None
        self._pieces: asyncio.Queue[bytes | None] | None = None
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self.is_open = True

    @classmethod
    async def open(cls, host: str, port: int) -> "Connection":
        """Connect."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(cls, host, port)
        return connection

    async def ask(self, head: bytes, body: bytes = b"") -> Answer:
        """Send a request and return its whole answer. Raises ConnectionError."""
        self._done = asyncio.get_running_loop().create_future()
        self._write(head, body)
        return await self._done

    async def stream(self, head: bytes) -> AsyncGenerator[bytes]:
        """Send a request and return its body piece by piece, until the server ends it."""
        pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._pieces = pieces
        self._write(head, b"")
        while (piece := await pieces.get()) is not None:
            yield piece

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _write(self, head: bytes, body: bytes) -> None:
        if self._transport is None or not self.is_open:
            raise ConnectionResetError
        length = b"content-length: %d\r\n" % len(body) if body else b""
        self._transport.write(head + length + b"\r\n" + body)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Parse."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """End what waits."""
        self.is_open = False
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionResetError("closed before its answer"))
        if self._pieces is not None:
            self._pieces.put_nowait(None)

    def on_message_begin(self) -> None:
        """Forget the answer before."""
        self._headers, self._body = {}, []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header by its lower-case name."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """A stream that is refused has no pieces."""
        if self._pieces is not None and self._parser.get_status_code() != OK:
            self._pieces.put_nowait(None)

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        if self._pieces is None:
            self._body.append(body)
        else:
            self._pieces.put_nowait(body)

    def on_message_complete(self) -> None:
        """Hand the answer over."""
        if self._done is not None and not self._done.done():
            status = self._parser.get_status_code()
            self._done.set_result(Answer(status, self._headers, b"".join(self._body)))


class Browser:
    """One guest's browser: a connection to each origin, a token once they have one."""

    def __init__(self, origins: Origins, tally: Tally) -> None:
        self._origins = origins
        self._tally = tally
        self._connections: dict[tuple[str, int], Connection] = {}
        self._token = b""

    def log_in(self, token: str) -> None:
        """Send the token from now on."""
        self._token = b"authorization: Bearer " + token.encode() + b"\r\n"

    async def get(self, target: str) -> Answer:
        """GET. Raises Refused."""
        return await self._send(b"GET", target, b"", b"")

    async def post(self, target: str, value: object) -> Answer:
        """POST JSON. Raises Refused."""
        return await self._send(b"POST", target, b"application/json", orjson.dumps(value))

    async def upload(
        self,
        target: str,
        field_name: str,
        filename: str,
        content: bytes,
        *,
        texts: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """POST one file as a form does, behind its other fields. Raises Refused."""
        fields = b"".join(
            b'--%s\r\ncontent-disposition: form-data; name="%s"\r\n\r\n%s\r\n'
            % (_BOUNDARY, name.encode(), text.encode())
            for name, text in texts.items()
        )
        body = fields + (
            b'--%s\r\ncontent-disposition: form-data; name="%s"; filename="%s"\r\n'
            b"content-type: image/jpeg\r\n\r\n%s\r\n--%s--\r\n"
        ) % (_BOUNDARY, field_name.encode(), filename.encode(), content, _BOUNDARY)
        kind = b"multipart/form-data; boundary=" + _BOUNDARY
        return await self._send(b"POST", target, kind, body)

    async def events(self, target: str) -> AsyncGenerator[tuple[str, bytes]]:
        """GET a live stream; yield each event's name and data, after ("open", "") first."""
        connection = await Connection.open(*self.origin(target))
        is_begun = False
        try:
            waiting = b""
            async for piece in connection.stream(self._head(b"GET", target, b"")):
                *whole, waiting = (waiting + piece).split(b"\n\n")
                for one in whole:
                    is_begun = True
                    yield event_of(one)
        finally:
            connection.close()
        if not is_begun:
            self._tally.failed.append(f"GET {target}: no stream")
            raise Refused(target)

    def request(self, target: str) -> bytes:
        """Return a GET as it is sent, for whoever sends it."""
        return self._head(b"GET", target, b"") + b"\r\n"

    def close(self) -> None:
        """Hang up."""
        for connection in self._connections.values():
            connection.close()

    async def _send(self, method: bytes, target: str, kind: bytes, body: bytes) -> Answer:
        head = self._head(method, target, kind)
        while True:
            answer = await (await self._connection(target)).ask(head, body)
            if answer.status == OK:
                return answer
            if answer.status not in _AGAIN:
                said = answer.body[:300].decode(errors="replace")
                self._tally.failed.append(f"{method.decode()} {target}: {answer.status} {said}")
                raise Refused(target)
            self._tally.refused += 1
            await asyncio.sleep(float(answer.headers.get(b"retry-after", b"1")))

    def _head(self, method: bytes, target: str, kind: bytes) -> bytes:
        content_type = b"content-type: " + kind + b"\r\n" if kind else b""
        return b"%s %s HTTP/1.1\r\nhost: findme\r\naccept-encoding: gzip\r\n%s%s" % (
            method,
            target.encode(),
            self._token,
            content_type,
        )

    def origin(self, target: str) -> tuple[str, int]:
        """Return who answers it, and where."""
        if None in self._origins:
            return self._origins[None]
        return self._origins[service_for(target.partition("?")[0])]

    async def _connection(self, target: str) -> Connection:
        origin = self.origin(target)
        connection = self._connections.get(origin)
        if connection is None or not connection.is_open:
            connection = self._connections[origin] = await Connection.open(*origin)
        return connection


def event_of(block: bytes) -> tuple[str, bytes]:
    """Return the name and the data of one event of a live stream."""
    name, data = "open", b""
    for line in block.split(b"\n"):
        if line.startswith(b"event: "):
            name = line[7:].decode()
        elif line.startswith(b"data: "):
            data = line[6:]
    return name, data

"""Live streams: how long after a photo's match each of its guests is told, and what one costs.

When what came is noted and nothing else is done: to read 1,500 streams' events took the client
longer than the server had to write them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httptools
import orjson

from benchmarks.process_tree import unshared_bytes
from benchmarks.rush.client import OK, Browser, Tally, event_of
from benchmarks.rush.guests import Guest, Place

#: Fewer than an account may have.
STREAMS_EACH = 5
OPENED_AT_ONCE = 50
_BEGINNING = b"HTTP/1.1 200 "


class Recorder(asyncio.Protocol):
    """One stream: its bytes as they came, with the moments by the clock of the wall."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.pieces: list[tuple[float, bytes]] = []
        self._transport: asyncio.Transport | None = None
        self._moment = 0.0
        self._bodies: list[tuple[float, bytes]] = []
        self.begun = asyncio.Event()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask."""
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note it."""
        self.pieces.append((time.time(), data))
        if not self.begun.is_set():
            whole = b"".join(piece for _, piece in self.pieces)
            head, _, body = whole.partition(b"\r\n\r\n")
            # The first event says that the stream listens; an answer of another kind has none.
            if b"\n\n" in body or not head.startswith(_BEGINNING[: len(head)]):
                self.begun.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.begun.set()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body, with the moment of what it came with."""
        self._bodies.append((self._moment, body))

    def events(self) -> Iterator[tuple[float, str, bytes]]:
        """Yield moment, name and data of each event. Raises ValueError where there is no stream."""
        parser = httptools.HttpResponseParser(self)
        for moment, piece in self.pieces:
            self._moment = moment
            parser.feed_data(piece)
        if not self.pieces or parser.get_status_code() != OK:
            msg = "no live stream"
            raise ValueError(msg)
        waiting = b""
        for moment, body in self._bodies:
            *whole, waiting = (waiting + body).split(b"\n\n")
            for one in whole:
                yield moment, *event_of(one)


@dataclass(slots=True)
class Heard:
    """Moments, by the clock of the wall, as the database's are."""

    bytes_per_stream: float = 0.0
    streams: list[Recorder] = field(default_factory=list)

    def delays(self, finished: dict[int, float], tally: Tally) -> list[float]:
        """Seconds from each photo's match to each stream that told of it."""
        return [
            moment - finished[photo] for photo, moment in self._matched(tally) if photo in finished
        ]

    def _matched(self, tally: Tally) -> Iterator[tuple[int, float]]:
        for stream in self.streams:
            try:
                for moment, name, data in stream.events():
                    if name == "photo.matched":
                        yield orjson.loads(data)["photo_id"], moment
            except ValueError as error:
                tally.failed.append(str(error))


@asynccontextmanager
async def many_streams(
    guests: Sequence[Guest], place: Place, tally: Tally, *, gallery_pid: int
) -> AsyncIterator[Heard]:
    """Keep five streams of each guest open, and note what they tell."""
    heard = Heard()
    room = asyncio.Semaphore(OPENED_AT_ONCE)
    before = unshared_bytes(gallery_pid)
    target = f"/api/events/{place.event_id}/stream"

    async def open_stream(guest: Guest) -> None:
        browser = Browser(place.origins, tally)
        browser.log_in(guest.token)
        async with room:
            stream = await browser.record(target, Recorder)
            heard.streams.append(stream)
            await stream.begun.wait()

    await asyncio.gather(*(open_stream(guest) for guest in guests for _ in range(STREAMS_EACH)))
    heard.bytes_per_stream = (unshared_bytes(gallery_pid) - before) / max(len(heard.streams), 1)
    try:
        yield heard
    finally:
        for stream in heard.streams:
            stream.close()

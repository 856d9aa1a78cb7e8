"""Live streams: how long after a photo's match each of its guests is told, and what one costs."""

import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httptools
import orjson

from benchmarks.process_tree import unshared_bytes
from benchmarks.rush import ears
from benchmarks.rush.client import OK, Browser, Tally, event_of
from benchmarks.rush.guests import Guest, Place
from benchmarks.rush.priority import PatientLoop

#: Fewer than an account may have.
STREAMS_EACH = 5


class Recording:
    """What came of one stream, with the moments by the clock of the wall."""

    def __init__(self, pieces: Sequence[tuple[float, bytes]]) -> None:
        self._pieces = pieces
        self._moment = 0.0
        self._bodies: list[tuple[float, bytes]] = []

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body, with the moment of what it came with."""
        self._bodies.append((self._moment, body))

    def events(self) -> Iterator[tuple[float, str, bytes]]:
        """Yield moment, name and data of each event. Raises ValueError where there is no stream."""
        parser = httptools.HttpResponseParser(self)
        for moment, piece in self._pieces:
            self._moment = moment
            parser.feed_data(piece)
        if not self._pieces or parser.get_status_code() != OK:
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
    streams: list[Recording] = field(default_factory=list)

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
    guests: Sequence[Guest], place: Place, tally: Tally, *, gallery_pid: int, loop: PatientLoop
) -> AsyncIterator[Heard]:
    """Keep five streams of each guest open; what they told is there when the block has ended."""
    heard = Heard()
    target = f"/api/events/{place.event_id}/stream"
    browser = Browser(place.origins, tally)
    requests = []
    for guest in guests:
        browser.log_in(guest.token)
        requests += [browser.request(target).decode()] * STREAMS_EACH
    host, port = browser.origin(target)
    order = json.dumps({"host": host, "port": port, "requests": requests}) + "\n"
    before = unshared_bytes(gallery_pid)
    with tempfile.TemporaryDirectory(prefix="findme-bench-") as folder:
        told = Path(folder) / "heard.json"
        async with loop.at_normal_priority(_hearing(order, told)):
            heard.bytes_per_stream = (unshared_bytes(gallery_pid) - before) / len(requests)
            yield heard
        heard.streams = recordings(told, len(requests))


@contextmanager
def _hearing(order: str, told: Path) -> Iterator[None]:
    command = [sys.executable, "-I", ears.__file__, str(told)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(order)
        process.stdin.flush()
        process.stdout.readline()
        yield


def recordings(told: Path, streams: int) -> list[Recording]:
    """Return what came of each stream, from the file of `ears.py`."""
    pieces: list[list[tuple[float, bytes]]] = [[] for _ in range(streams)]
    for number, moment, text in json.loads(told.read_text("latin-1")):
        pieces[number].append((moment, text.encode("latin-1")))
    return [Recording(one) for one in pieces]

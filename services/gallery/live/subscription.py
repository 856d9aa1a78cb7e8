"""One live stream: what its client is still to be told, and how it is written."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress

from libs.common.web.piece_writing import PieceWriter
from services.gallery import metrics
from services.gallery.live.announcements import GAP, LiveEvent, Viewer

#: A client this far behind loads its lists anew instead.
BUFFERED_EVENTS = 256
PIECE_BYTES = 4096
#: Some 3 KB: more of them in one moment are not written together.
EVENTS_TOGETHER = 32
#: A comment, so that nobody between takes the connection for dead, and the client's end is seen.
HEARTBEAT = b": ping\n\n"


class Subscription:
    """One client's events, buffered while it is slow; a full buffer becomes one gap."""

    def __init__(self, viewer: Viewer, *, buffered_events: int = BUFFERED_EVENTS) -> None:
        self.viewer = viewer
        self._buffered_events = buffered_events
        self._waiting: deque[LiveEvent] = deque()
        self._wake = asyncio.Event()
        self._closed = False
        self._ends = False
        self._is_idle = False
        self._writer: PieceWriter | None = None

    def write_by(self, writer: PieceWriter | None) -> None:
        """Have events written without a task's turn where nothing is under way; see `push`."""
        self._writer = writer

    def push(self, event: LiveEvent) -> bool:
        """Add an event; when the buffer is full, a gap takes the place of all that waits.

        Return whether the caller is to `write` it soon: else the stream's own task sends it.
        """
        if len(self._waiting) >= EVENTS_TOGETHER:
            # A burst: only who does not take what is written falls behind by it.
            self.write()
        if event is GAP or len(self._waiting) >= self._buffered_events:
            if event is not GAP:
                metrics.LIVE_OVERFLOWS.inc()
            self._waiting.clear()
            event = GAP
        self._waiting.append(event)
        if self._is_idle and self._writer is not None:
            return True
        self._rouse()
        return False

    def write(self) -> None:
        """Write what waits, unless the stream's task is at it."""
        if not self._is_idle or not self._waiting or self._writer is None:
            return
        pieces = [event.piece for event in self._waiting]
        is_small = sum(len(piece.content) for piece in pieces) <= PIECE_BYTES
        if is_small and self._writer.write(pieces):
            self._waiting.clear()
        else:
            self._rouse()

    @property
    def ends(self) -> bool:
        """Whether nothing is added any more."""
        return self._ends

    def end(self) -> None:
        """End the stream after what still waits."""
        self._ends = True
        self._rouse()

    def close(self) -> None:
        """End the stream; what still waits is not sent."""
        self._closed = self._ends = True
        self._rouse()

    def _rouse(self) -> None:
        self._is_idle = False
        self._wake.set()

    async def blocks(self, *, ping_seconds: float) -> AsyncGenerator[bytes]:
        """Yield what waits, encoded, some of it at a time, and a comment where nothing does."""
        while not self._closed:
            if self._waiting:
                yield self._take()
            elif self._ends:
                return
            else:
                self._wake.clear()
                self._is_idle = True
                with suppress(TimeoutError):
                    async with asyncio.timeout(ping_seconds):
                        await self._wake.wait()
                is_silent = self._is_idle and not self._waiting
                self._is_idle = False
                if is_silent:
                    yield HEARTBEAT

    def _take(self) -> bytes:
        """Return the events next in line, in one piece: each piece costs as much as all its events.

        A slow client's connection holds no more of them.
        """
        blocks: list[bytes] = []
        size = 0
        while self._waiting and size < PIECE_BYTES:
            block = self._waiting.popleft().piece.content
            blocks.append(block)
            size += len(block)
        return b"".join(blocks)

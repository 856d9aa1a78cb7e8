"""Live updates of one process: the streams that clients keep open, and what each is told."""

import asyncio
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from contextlib import contextmanager, suppress

import structlog

from libs.common.errors import TooManyRequests, Unavailable
from libs.common.messaging.messages import Message
from libs.common.telemetry.metrics import REFUSED_BY_LIMIT
from libs.common.web.piece_writing import PieceWriter
from services.gallery import metrics
from services.gallery.live.announcements import (
    EXPIRED,
    GAP,
    Announcement,
    LiveEvent,
    Viewer,
    ends_stream,
)

log = structlog.get_logger(__name__)

#: A client this far behind loads its lists anew instead.
BUFFERED_EVENTS = 256
RETRY_AFTER_SECONDS = 30
PIECE_BYTES = 4096
#: A comment, so that nobody between takes the connection for dead, and the client's end is seen.
HEARTBEAT = b": ping\n\n"
#: Among the budgets that metrics name.
LIVE_STREAMS = "live_streams"
REFUSED_BY_LIMIT.labels(LIVE_STREAMS)


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
        """Have events written at once where nothing is under way, and without a task's turn."""
        self._writer = writer

    def push(self, event: LiveEvent) -> None:
        """Add an event; when the buffer is full, a gap takes the place of all that waits."""
        if self._is_idle and self._writer is not None and self._writer.write(event.piece):
            return
        if event is GAP or len(self._waiting) >= self._buffered_events:
            if event is not GAP:
                metrics.LIVE_OVERFLOWS.inc()
            self._waiting.clear()
            event = GAP
        self._waiting.append(event)
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
                if self._is_idle:
                    self._is_idle = False
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


class LiveUpdates:
    """The open streams of this process, by event."""

    def __init__(self, *, max_streams: int, per_account: int) -> None:
        self._max_streams = max_streams
        self._per_account = per_account
        metrics.LIVE_STREAMS_LIMIT.set(max_streams)
        self._streams: defaultdict[int, set[Subscription]] = defaultdict(set)
        self._by_account: Counter[int] = Counter()
        self._closed = False

    def require_room(self, user_id: int) -> None:
        """Raises TooManyRequests for an account's own streams, and Unavailable for those of all.

        The seventh is refused, and not the first ended: its page would come back at once, and end
        another one's.
        """
        if self._by_account[user_id] >= self._per_account:
            REFUSED_BY_LIMIT.labels(LIVE_STREAMS).inc()
            msg = f"You have {self._per_account} live streams open. Close a page that shows one."
            raise TooManyRequests(msg, retry_after_seconds=RETRY_AFTER_SECONDS)
        if self._closed or self._by_account.total() >= self._max_streams:
            msg = "Too many live streams are open: the lists can still be loaded."
            raise Unavailable(msg, retry_after_seconds=RETRY_AFTER_SECONDS)

    @contextmanager
    def subscribe(self, event_id: int, viewer: Viewer) -> Iterator[Subscription]:
        """Get everything that is published for the event from here on; see `require_room`."""
        # Asked once more: others began theirs since.
        self.require_room(viewer.user_id)
        subscription = Subscription(viewer)
        self._streams[event_id].add(subscription)
        self._by_account[viewer.user_id] += 1
        metrics.LIVE_STREAMS.inc()
        try:
            yield subscription
        finally:
            self._by_account[viewer.user_id] -= 1
            if not self._by_account[viewer.user_id]:
                del self._by_account[viewer.user_id]
            metrics.LIVE_STREAMS.dec()
            streams = self._streams[event_id]
            streams.discard(subscription)
            if not streams:
                del self._streams[event_id]

    def publish(self, message: Message) -> None:
        """Tell the event's streams, each what is for its viewer."""
        announcement = Announcement(message)
        for subscription in self._streams.get(message.event_id, ()):
            if subscription.ends:
                continue
            event = announcement.to(subscription.viewer)
            if event is not None:
                _push(subscription, event)
            if ends_stream(message, subscription.viewer):
                subscription.end()

    def expire(self, event_id: int) -> None:
        """Tell the event's guests that it is over, and end their streams."""
        for subscription in self._streams.get(event_id, ()):
            if not (subscription.viewer.runs_event or subscription.ends):
                _push(subscription, EXPIRED)
                subscription.end()

    def end_sessions(self, user_id: int, session_ids: Collection[uuid.UUID] | None) -> None:
        """End the account's streams: those of these logins, or all for None."""
        for subscription in self._all():
            viewer = subscription.viewer
            if viewer.user_id == user_id and (
                session_ids is None or viewer.session_id in session_ids
            ):
                subscription.close()

    def sessions(self) -> dict[uuid.UUID, int]:
        """Return the logins that watch, and whose they are."""
        return {
            subscription.viewer.session_id: subscription.viewer.user_id
            for subscription in self._all()
            if subscription.viewer.session_id is not None
        }

    def guests(self) -> dict[int, set[int]]:
        """Return the events that guests watch, and who does."""
        return self._watching(lambda viewer: not viewer.runs_event)

    def end_guests(self, event_id: int, user_ids: Collection[int]) -> None:
        """End the streams of guests who are none of the event any more."""
        for subscription in self._streams.get(event_id, ()):
            if not subscription.viewer.runs_event and subscription.viewer.user_id in user_ids:
                subscription.close()

    def photographers(self) -> dict[int, set[int]]:
        """Return the events that photographers watch as theirs, and who does."""
        return self._watching(lambda viewer: viewer.is_photographer)

    def end_photographers(self, event_id: int, *, besides: int | None) -> None:
        """End the streams of photographers whose event it is not."""
        for subscription in self._streams.get(event_id, ()):
            viewer = subscription.viewer
            if viewer.is_photographer and viewer.user_id != besides:
                subscription.close()

    def gap(self) -> None:
        """Tell every stream that something may have been missed."""
        for subscription in self._all():
            _push(subscription, GAP)

    async def close(self) -> None:
        """End all streams and refuse new ones, so that the server can stop."""
        self._closed = True
        for subscription in self._all():
            subscription.close()

    def _watching(self, is_meant: Callable[[Viewer], bool]) -> dict[int, set[int]]:
        return {
            event_id: watching
            for event_id, streams in self._streams.items()
            if (watching := {one.viewer.user_id for one in streams if is_meant(one.viewer)})
        }

    def _all(self) -> list[Subscription]:
        return [one for streams in self._streams.values() for one in streams]


def _push(subscription: Subscription, event: LiveEvent) -> None:
    """Tell one stream; one that cannot be told ends, and its client comes back."""
    try:
        subscription.push(event)
    except Exception as error:
        log.exception("live_stream_failed", error=error)
        subscription.close()

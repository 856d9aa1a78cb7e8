"""Live updates of one process: the streams that clients keep open, and what each is told."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from libs.common.errors import Unavailable
from libs.common.messaging.messages import (
    AccountDeleted,
    EventChanged,
    EventDeleted,
    MatchChanged,
    Message,
    PhotoDeleted,
    PhotoFailed,
    PhotoMatched,
    PhotoUploaded,
    PhotoVisibilityChanged,
    SelfieMatched,
)
from services.gallery import metrics

#: A client this far behind loads its lists anew instead.
BUFFERED_EVENTS = 256
RETRY_AFTER_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who watches an event: a participant, or somebody who runs it and sees all progress."""

    user_id: int
    runs_event: bool


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event of a stream; `data` becomes a JSON object."""

    name: str
    data: dict[str, object]


#: Something may have been missed: the client loads its lists anew.
GAP = LiveEvent("gap", {})


def announcement(message: Message, viewer: Viewer) -> LiveEvent | None:
    """Return what this viewer is told, None when it is not for them."""
    match message:
        case (
            PhotoUploaded(photo_id=photo_id)
            | PhotoVisibilityChanged(photo_id=photo_id)
            | PhotoDeleted(photo_id=photo_id)
        ):
            return LiveEvent(message.topic, {"photo_id": photo_id})
        case PhotoMatched(photo_id=photo_id, user_ids=user_ids) if message.is_first_match:
            if viewer.runs_event:
                return LiveEvent("photo.matched", {"photo_id": photo_id, "matched": len(user_ids)})
            if viewer.user_id in user_ids:
                return LiveEvent("photo.matched", {"photo_id": photo_id})
        case MatchChanged(photo_id=photo_id, user_ids=user_ids):
            if viewer.runs_event or user_ids is None or viewer.user_id in user_ids:
                return LiveEvent("match.changed", {"photo_id": photo_id})
        case PhotoFailed(photo_id=photo_id, reason=reason) if viewer.runs_event:
            return LiveEvent("photo.failed", {"photo_id": photo_id, "reason": reason})
        case SelfieMatched(user_id=user_id, matched=matched) if viewer.user_id == user_id:
            return LiveEvent("selfie.matched", {"matched": matched})
        case EventChanged() | EventDeleted():
            return LiveEvent(message.topic, {})
        case _:
            pass
    return None


def ends_stream(message: Message, viewer: Viewer) -> bool:
    """Whether there is nothing left for this viewer to watch."""
    match message:
        case EventDeleted():
            return True
        case AccountDeleted(user_id=user_id):
            return viewer.user_id == user_id
        case _:
            return False


class Subscription:
    """One client's events, buffered while it is slow; a full buffer becomes one gap."""

    def __init__(self, viewer: Viewer, *, buffered_events: int = BUFFERED_EVENTS) -> None:
        self.viewer = viewer
        self._buffered_events = buffered_events
        self._waiting: deque[LiveEvent] = deque()
        self._wake = asyncio.Event()
        self._closed = False
        self._ends = False

    def push(self, event: LiveEvent) -> None:
        """Add an event; when the buffer is full, a gap takes the place of all that waits."""
        if event is GAP or len(self._waiting) >= self._buffered_events:
            if event is not GAP:
                metrics.LIVE_OVERFLOWS.inc()
            self._waiting.clear()
            event = GAP
        self._waiting.append(event)
        self._wake.set()

    def end(self) -> None:
        """End the stream after what still waits."""
        self._ends = True
        self._wake.set()

    def close(self) -> None:
        """End the stream; what still waits is not sent."""
        self._closed = True
        self._wake.set()

    async def __aiter__(self) -> AsyncIterator[LiveEvent]:
        while not self._closed:
            if self._waiting:
                yield self._waiting.popleft()
            elif self._ends:
                return
            else:
                self._wake.clear()
                await self._wake.wait()


class LiveUpdates:
    """The open streams of this process, by event."""

    def __init__(self, *, max_streams: int) -> None:
        self._max_streams = max_streams
        metrics.LIVE_STREAMS_LIMIT.set(max_streams)
        self._streams: defaultdict[int, set[Subscription]] = defaultdict(set)
        self._count = 0
        self._closed = False

    def require_room(self) -> None:
        """Raises Unavailable when there are as many streams as there may be."""
        if self._closed or self._count >= self._max_streams:
            msg = "Too many live streams are open: the lists can still be loaded."
            raise Unavailable(msg, retry_after_seconds=RETRY_AFTER_SECONDS)

    @contextmanager
    def subscribe(self, event_id: int, viewer: Viewer) -> Iterator[Subscription]:
        """Get everything that is published for the event from here on."""
        subscription = Subscription(viewer)
        if self._closed:
            subscription.close()
        self._streams[event_id].add(subscription)
        self._count += 1
        metrics.LIVE_STREAMS.inc()
        try:
            yield subscription
        finally:
            self._count -= 1
            metrics.LIVE_STREAMS.dec()
            streams = self._streams[event_id]
            streams.discard(subscription)
            if not streams:
                del self._streams[event_id]

    def publish(self, message: Message) -> None:
        """Tell the event's streams, each what is for its viewer."""
        for subscription in self._streams.get(message.event_id, ()):
            event = announcement(message, subscription.viewer)
            if event is not None:
                subscription.push(event)
            if ends_stream(message, subscription.viewer):
                subscription.end()

    def gap(self) -> None:
        """Tell every stream that something may have been missed."""
        for subscription in self._all():
            subscription.push(GAP)

    def close(self) -> None:
        """End all streams and refuse new ones, so that the server can stop."""
        self._closed = True
        for subscription in self._all():
            subscription.close()

    def _all(self) -> list[Subscription]:
        return [one for streams in self._streams.values() for one in streams]

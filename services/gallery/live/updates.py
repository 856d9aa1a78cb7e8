"""Live updates of one process: the streams that clients keep open, and what each is told."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import structlog

from libs.common.errors import TooManyRequests, Unavailable
from libs.common.messaging.messages import Message
from libs.common.telemetry.metrics import REFUSED_BY_LIMIT
from services.gallery import metrics
from services.gallery.live.announcements import (
    EXPIRED,
    GAP,
    Announcement,
    LiveEvent,
    Viewer,
    ends_stream,
)
from services.gallery.live.subscription import Subscription
from services.gallery.live.writing import Writing

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 30
#: Among the budgets that metrics name.
LIVE_STREAMS = "live_streams"
REFUSED_BY_LIMIT.labels(LIVE_STREAMS)


class LiveUpdates:
    """The open streams of this process, by event."""

    def __init__(self, *, max_streams: int, per_account: int) -> None:
        self._max_streams = max_streams
        self._per_account = per_account
        metrics.LIVE_STREAMS_LIMIT.set(max_streams)
        self._streams: defaultdict[int, set[Subscription]] = defaultdict(set)
        self._by_account: Counter[int] = Counter()
        self._writing = Writing()
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
            self._writing.remove(subscription)
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
                self._tell(subscription, event, is_urgent=announcement.is_personal)
            if ends_stream(message, subscription.viewer):
                subscription.end()

    def expire(self, event_id: int) -> None:
        """Tell the event's guests that it is over, and end their streams."""
        for subscription in self._streams.get(event_id, ()):
            if not (subscription.viewer.runs_event or subscription.ends):
                self._tell(subscription, EXPIRED)
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
            self._tell(subscription, GAP)

    async def close(self) -> None:
        """End all streams and refuse new ones, so that the server can stop."""
        self._closed = True
        for subscription in self._all():
            subscription.close()

    def _tell(
        self, subscription: Subscription, event: LiveEvent, *, is_urgent: bool = False
    ) -> None:
        """Tell one stream; one that cannot be told ends, and its client comes back."""
        try:
            is_due = subscription.push(event)
        except Exception as error:
            log.exception("live_stream_failed", error=error)
            subscription.close()
            return
        if is_due:
            self._writing.add(subscription, is_urgent=is_urgent)

    def _watching(self, is_meant: Callable[[Viewer], bool]) -> dict[int, set[int]]:
        return {
            event_id: watching
            for event_id, streams in self._streams.items()
            if (watching := {one.viewer.user_id for one in streams if is_meant(one.viewer)})
        }

    def _all(self) -> list[Subscription]:
        return [one for streams in self._streams.values() for one in streams]

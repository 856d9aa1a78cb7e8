"""Notifications of all services: first the cache forgets, then the streams announce."""

from libs.common.messaging.bus.protocol import Bus, Delivery, Subscription
from libs.common.messaging.bus.subscriptions import LastingSubscription
from libs.common.messaging.messages import (
    AccountDeleted,
    EventChanged,
    EventDeleted,
    MatchChanged,
    Message,
    PhotoAnalyzed,
    PhotoDeleted,
    PhotoFailed,
    PhotoMatched,
    PhotoUploaded,
    PhotoVisibilityChanged,
    SelfieDeleted,
    SelfieMatched,
    SelfieUploaded,
)
from libs.common.rights.event_ends import EventEnds
from libs.common.telemetry import tracing
from services.gallery.events.main_events import MainEvents
from services.gallery.lists.cache import ListCache, eviction_for
from services.gallery.live.updates import LiveUpdates

PATTERNS = ("photo.*.*", "selfie.*.*", "event.*.*", "account.*.*", "match.*.*")
_BY_TOPIC: dict[str, type[Message]] = {
    kind.topic: kind
    for kind in (
        PhotoUploaded,
        PhotoAnalyzed,
        PhotoMatched,
        PhotoFailed,
        PhotoVisibilityChanged,
        PhotoDeleted,
        MatchChanged,
        SelfieUploaded,
        SelfieMatched,
        SelfieDeleted,
        EventChanged,
        EventDeleted,
        AccountDeleted,
    )
}

_OF_A_PHOTO = (
    PhotoUploaded,
    PhotoAnalyzed,
    PhotoMatched,
    PhotoFailed,
    PhotoVisibilityChanged,
    PhotoDeleted,
)


async def listening(bus: Bus, listener: "NotificationListener") -> LastingSubscription:
    """Begin to listen; what was kept while nobody listened is not trusted."""

    async def listen() -> Subscription:
        subscription = await bus.listen(PATTERNS, listener.handle, on_gap=listener.on_gap)
        await listener.on_gap()
        return subscription

    return await LastingSubscription.begin(listen)


class NotificationListener:
    """One per process, whatever the number of clients."""

    def __init__(
        self,
        cache: ListCache,
        live: LiveUpdates,
        main_events: MainEvents,
        ends: EventEnds,
    ) -> None:
        self._ends = ends
        self._cache = cache
        self._live = live
        self._main_events = main_events

    async def handle(self, delivery: Delivery) -> None:
        """Evict before announcing: a client that hears of a change must not load old data."""
        topic, _, _ = delivery.routing_key.rpartition(".")
        kind = _BY_TOPIC.get(topic)
        if kind is None:
            return
        # One that cannot be decoded raises, which the bus answers with a gap.
        message = kind.decode(delivery.body)
        tracing.set_attributes(event_id=message.event_id)
        if isinstance(message, _OF_A_PHOTO):
            tracing.set_attributes(photo_id=message.photo_id)
        self._cache.evict(eviction_for(message))
        if isinstance(message, EventChanged | EventDeleted):
            self._ends.forget(message.event_id)
            self._main_events.forget_all()
        elif isinstance(message, MatchChanged):
            # It may tell of guests who were taken out of the event.
            self._main_events.forget(*message.user_ids or ())
        self._live.publish(message)

    async def on_gap(self) -> None:
        """Messages may have been missed: nothing cached can be trusted."""
        self._cache.clear()
        self._main_events.forget_all()
        self._live.gap()

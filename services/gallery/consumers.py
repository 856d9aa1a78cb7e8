"""Notifications of all services: first the cache forgets, then the streams announce."""

import structlog
from pydantic import ValidationError

from libs.common.bus.protocol import Delivery
from libs.common.messages import (
    Message,
    PhotoAnalyzed,
    PhotoChanged,
    PhotoDeleted,
    PhotoFailed,
    PhotoMatched,
    PhotoUploaded,
    SelfieDeleted,
    SelfieMatched,
    SelfieUploaded,
)
from services.gallery import metrics
from services.gallery.eviction import eviction_for
from services.gallery.list_cache import ListCache
from services.gallery.live_updates import LiveUpdates

log = structlog.get_logger(__name__)

PATTERNS = ("photo.*.*", "selfie.*.*")
_BY_TOPIC: dict[str, type[Message]] = {
    kind.topic: kind
    for kind in (
        PhotoUploaded,
        PhotoAnalyzed,
        PhotoMatched,
        PhotoFailed,
        PhotoChanged,
        PhotoDeleted,
        SelfieUploaded,
        SelfieMatched,
        SelfieDeleted,
    )
}


class NotificationListener:
    """One per process, whatever the number of clients."""

    def __init__(self, cache: ListCache, live: LiveUpdates) -> None:
        self._cache = cache
        self._live = live

    async def handle(self, delivery: Delivery) -> None:
        """Evict before announcing: a client that hears of a change must not load old data."""
        topic, _, _ = delivery.routing_key.rpartition(".")
        kind = _BY_TOPIC.get(topic)
        if kind is None:
            return
        try:
            message = kind.decode(delivery.body)
        except ValidationError as error:
            # Nobody retries a notification; lists are right again after their time to live.
            log.warning("notification_not_understood", topic=topic, error=str(error))
            return
        self._cache.evict(eviction_for(message))
        self._live.publish(message)

    async def on_gap(self) -> None:
        """Messages may have been missed: nothing cached can be trusted."""
        metrics.LISTENER_GAPS.inc()
        self._cache.clear()
        self._live.gap()

"""Live updates of an event, as Server-Sent Events (WHATWG HTML, section 9.2)."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Response
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

from libs.common.web.auth import CurrentPrincipal, Role
from libs.common.web.ids import PathId
from services.gallery.events.access import require_visible_event
from services.gallery.gallery import CurrentGallery
from services.gallery.live.updates import GAP, LiveUpdates, Subscription, Viewer

router = APIRouter(prefix="/api", tags=["live"])
RECONNECT_MILLISECONDS = 2000


class LiveStream(EventSourceResponse):
    """Subscribed before the head is sent: a list loaded after it misses nothing."""

    def __init__(
        self,
        live: LiveUpdates,
        event_id: int,
        viewer: Viewer,
        *,
        resumed: bool,
        ping_seconds: float,
    ) -> None:
        super().__init__(
            _nothing(),
            ping=ping_seconds,
            sep="\n",
            ping_message_factory=_heartbeat,
        )
        self._live = live
        self._event_id = event_id
        self._viewer = viewer
        self._resumed = resumed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the client goes, or the process stops."""
        with self._live.subscribe(self._event_id, self._viewer) as subscription:
            if self._resumed:
                # What happened while the client was away is not kept.
                subscription.push(GAP)
            self.body_iterator = _encoded(subscription)
            await super().__call__(scope, receive, send)


@router.get("/events/{event_id}/stream", response_class=Response)
async def stream(
    event_id: PathId,
    principal: CurrentPrincipal,
    gallery: CurrentGallery,
    last_event_id: Annotated[str | None, Header()] = None,
) -> LiveStream:
    """Server-Sent Events; after `gap` the client loads its lists anew."""
    gallery.live.require_room()
    async with gallery.database.read() as connection:
        await require_visible_event(connection, principal, event_id)
    return LiveStream(
        gallery.live,
        event_id,
        Viewer(principal.user_id, runs_event=principal.role is not Role.PARTICIPANT),
        resumed=last_event_id is not None,
        ping_seconds=gallery.settings.live_ping_seconds,
    )


def _nothing() -> Iterator[ServerSentEvent]:
    return iter(())


def _heartbeat() -> ServerSentEvent:
    return ServerSentEvent(comment="ping", sep="\n")


async def _encoded(subscription: Subscription) -> AsyncIterator[ServerSentEvent]:
    # An id before the first event, so that a client that reconnects always sends
    # Last-Event-ID and is told of the gap.
    yield ServerSentEvent(id="0", retry=RECONNECT_MILLISECONDS, sep="\n")
    number = 0
    async for event in subscription:
        number += 1
        yield ServerSentEvent(
            orjson.dumps(event.data).decode(), event=event.name, id=str(number), sep="\n"
        )

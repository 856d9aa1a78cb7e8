"""A live stream as an answer: Server-Sent Events (WHATWG HTML, section 9.2)."""

import asyncio

from fastapi import Response
from starlette.types import Receive, Scope, Send

from libs.common.accounts.accounts import Accounts
from libs.common.web import piece_writing
from services.gallery.live.announcements import GAP, Viewer
from services.gallery.live.subscription import Subscription
from services.gallery.live.updates import LiveUpdates

RECONNECT_MILLISECONDS = 2000
#: An id before the first event, so that a client that reconnects always sends Last-Event-ID and
#: is told of the gap. Events have none: each is encoded once for all streams.
OPENING = b"id: 0\nretry: %d\n\n" % RECONNECT_MILLISECONDS


class LiveStream(Response):
    """Subscribed before the head is sent: a list loaded after it misses nothing.

    One task and no wrappers around its sends, which mostly it need not do itself. What a library's
    response does besides, to end with the server, `Stopping` and `LiveUpdates` do.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        live: LiveUpdates,
        event_id: int,
        viewer: Viewer,
        *,
        accounts: Accounts,
        resumed: bool,
        ping_seconds: float,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._live = live
        self._event_id = event_id
        self._viewer = viewer
        self._accounts = accounts
        self._resumed = resumed
        self._ping_seconds = ping_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the client goes, their login ends, or the process stops."""
        with self._live.subscribe(self._event_id, self._viewer) as subscription:
            if not await self._is_logged_in():
                # It has ended since this request was let in, and before anybody could tell.
                subscription.close()
            if self._resumed:
                # What happened while the client was away is not kept.
                subscription.push(GAP)
            watching = asyncio.create_task(_close_when_gone(receive, subscription))
            subscription.write_by(scope.get("extensions", {}).get(piece_writing.EXTENSION))
            try:
                await self._stream(subscription, send)
            finally:
                watching.cancel()

    async def _stream(self, subscription: Subscription, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": OPENING, "more_body": True})
        async for block in subscription.blocks(ping_seconds=self._ping_seconds):
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _is_logged_in(self) -> bool:
        session_id = self._viewer.session_id
        return session_id is None or await self._accounts.sessions.of(session_id) is not None


async def _close_when_gone(receive: Receive, subscription: Subscription) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    subscription.close()

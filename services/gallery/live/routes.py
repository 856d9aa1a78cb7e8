"""Live updates of an event."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from libs.common.web.auth import CurrentPrincipal
from services.gallery.gallery import CurrentGallery
from services.gallery.live.stream import LiveStream
from services.gallery.live.watch_event import watch_event
from services.gallery.web.fields import PathId

router = APIRouter(prefix="/api", tags=["live"])


@router.get("/events/{event_id}/stream", response_class=Response)
async def stream(
    event_id: PathId,
    principal: CurrentPrincipal,
    gallery: CurrentGallery,
    last_event_id: Annotated[str | None, Header()] = None,
) -> LiveStream:
    """Server-Sent Events; after `gap` the client loads its lists anew."""
    gallery.live.require_room()
    viewer = await watch_event(event_id, principal=principal, database=gallery.database)
    return LiveStream(
        gallery.live,
        event_id,
        viewer,
        resumed=last_event_id is not None,
        ping_seconds=gallery.settings.live_ping_seconds,
    )

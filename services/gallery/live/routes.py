"""Live updates of an event, as Server-Sent Events (WHATWG HTML, section 9.2)."""

from typing import Final

from fastapi import APIRouter, Request, Response

from libs.common.web.auth import CurrentPrincipal, Role
from libs.common.web.ids import PathId
from libs.common.web.openapi import Node, event_stream, problems
from services.gallery.events.access import require_visible_event
from services.gallery.gallery import CurrentGallery
from services.gallery.live.announcements import Viewer
from services.gallery.live.stream import LiveStream

router = APIRouter(prefix="/api", tags=["live"])
#: What a client may be told, and what is in it.
EVENTS = {
    "photo.uploaded": "a photo has come in; `photo_id`",
    "photo.matched": "a photo shows the caller; `photo_id`, and for whoever runs the event"
    " `matched`, how many guests it shows",
    "photo.failed": "a photo cannot be analysed; `photo_id`, `reason`",
    "photo.changed": "a photo is shown to everybody, or not any more; `photo_id`",
    "photo.deleted": "a photo is gone; `photo_id`",
    "match.changed": "who is in a photo has changed; `photo_id`, null for all of the event",
    "selfie.matched": "the caller's selfie was compared with all photos; `matched`",
    "event.changed": "the event's name, date or code has changed, or who runs it: the stream of"
    " who ran it before ends",
    "event.deleted": "the event is gone, or erased; the stream ends",
    "expired": "the event has ended for its guests; so does their stream",
    "gap": "something may have been missed: load the lists anew",
}
LAST_EVENT_ID = "last-event-id"
#: A browser sends it by itself.
RESUMED: Final[Node] = {
    "name": LAST_EVENT_ID,
    "in": "header",
    "required": False,
    "description": "Sent by a client that had a stream before: it is told of a gap first.",
    "schema": {"type": "string"},
}
EXAMPLE = 'event: photo.matched\ndata: {"photo_id": 4711}\n\n'


@router.get(
    "/events/{event_id}/stream",
    response_class=Response,
    operation_id="stream_event",
    responses=event_stream(
        "Events, each with a JSON object:\n\n"
        + "\n".join(f"- `{name}`: {text}" for name, text in EVENTS.items()),
        example=EXAMPLE,
    )
    | problems(404, 429),
    openapi_extra={"parameters": [RESUMED]},
)
async def stream(
    request: Request,
    event_id: PathId,
    principal: CurrentPrincipal,
    gallery: CurrentGallery,
) -> LiveStream:
    """Server-Sent Events; after `gap` the client loads its lists anew."""
    gallery.live.require_room(principal.user_id)
    async with gallery.database.read() as connection:
        await require_visible_event(connection, principal, event_id)
    return LiveStream(
        gallery.live,
        event_id,
        Viewer(
            principal.user_id,
            runs_event=principal.role is not Role.PARTICIPANT,
            session_id=principal.session_id,
            is_photographer=principal.role is Role.PHOTOGRAPHER,
        ),
        accounts=request.app.state.accounts,
        resumed=LAST_EVENT_ID in request.headers,
        ping_seconds=gallery.settings.live_ping_seconds,
    )

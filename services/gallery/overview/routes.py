"""All events at a glance, for those who run them."""

from fastapi import APIRouter, Response

from libs.common.web.auth import PhotographerOrAdmin
from libs.common.web.ids import PathId
from libs.common.web.openapi import problems
from services.gallery.events.access import events_run_by, require_visible_event
from services.gallery.gallery import CurrentGallery
from services.gallery.overview import schemas
from services.gallery.overview.repository import count_by_minute, count_of_events
from services.gallery.web.answers import json_answer

router = APIRouter(prefix="/api/photographer", tags=["photographers"])

#: As many bars as a phone shows apart.
PACE_MINUTES = 30


@router.get("/overview", operation_id="get_overview", response_model=schemas.Overview)
async def overview(principal: PhotographerOrAdmin, gallery: CurrentGallery) -> Response:
    """Say which events there are and how much they have; erased ones are left out."""
    async with gallery.list_turn(principal.user_id), gallery.database.scan() as connection:
        kept = [
            event for event in await events_run_by(connection, principal) if not event.is_erased
        ]
        counts = await count_of_events(connection, [event.id for event in kept])
    return json_answer(
        {
            "events": [
                {
                    "id": event.id,
                    "name": event.name,
                    "event_code": event.event_code,
                    "date": event.date,
                    "expires_at": event.expires_at,
                    "photographer_id": event.photographer_id,
                    "is_over": event.is_over,
                    "photos": counts[event.id].photos,
                    "pending": counts[event.id].pending,
                    "failed": counts[event.id].failed,
                    "guests": counts[event.id].guests,
                }
                for event in kept
            ],
            "event_lifetime_days": gallery.settings.event_lifetime_days,
        }
    )


@router.get(
    "/events/{event_id}/pace",
    operation_id="get_event_pace",
    response_model=schemas.Pace,
    responses=problems(404, 410),
)
async def pace(
    event_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """Say how many photos came in and were done in each of the last 30 minutes."""
    async with gallery.list_turn(principal.user_id), gallery.database.scan() as connection:
        await require_visible_event(connection, principal, event_id)
        minutes = await count_by_minute(connection, event_id, minutes=PACE_MINUTES)
    return json_answer(
        {
            "minutes": [
                {"minute": one.minute, "received": one.received, "done": one.done}
                for one in minutes
            ]
        }
    )

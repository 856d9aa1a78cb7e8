"""How alike a face must be to be shown to a guest, 0 to 100."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from libs.common.errors import NotFound
from libs.common.web.auth import PhotographerOrAdmin, require
from libs.common.web.tokens import Role
from services.gallery.events.access import require_visible_event
from services.gallery.gallery import CurrentGallery
from services.gallery.matching import repository as thresholds
from services.gallery.matching.repository import EventThreshold
from services.gallery.matching.set_threshold import set_event_threshold, set_shared_threshold
from services.gallery.web.answers import json_answer
from services.gallery.web.fields import PathId
from services.gallery.web.views import percent

#: The address is older than the other face engines; the threshold is everybody's.
admin_router = APIRouter(
    prefix="/api/admin/rekognition/threshold",
    tags=["admin"],
    dependencies=[Depends(require(Role.ADMIN))],
)
router = APIRouter(
    prefix="/api/photographer/events/{event_id}/match-threshold", tags=["photographers"]
)
Number = Annotated[float, Field(allow_inf_nan=False)]


class SharedThreshold(BaseModel):
    """A threshold for all events; it is clamped to 0..100."""

    value: Number


class OwnThreshold(BaseModel):
    """A threshold for one event; null for the one of all events."""

    value: Number | None


@admin_router.get("")
async def shared_threshold(gallery: CurrentGallery) -> Response:
    """The threshold of events that have none of their own."""
    async with gallery.database.read() as connection:
        value = await thresholds.shared_threshold(connection)
    return json_answer({"threshold": percent(value)})


@admin_router.post("")
async def change_shared_threshold(asked: SharedThreshold, gallery: CurrentGallery) -> Response:
    """Change it; the events it counts for are matched again."""
    async with gallery.database.unit_of_work() as unit:
        value = await set_shared_threshold(asked.value, unit=unit)
    return json_answer({"threshold": percent(value)})


@router.get("")
async def event_threshold(
    event_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """The event's threshold, and whether it is its own."""
    async with gallery.database.read() as connection:
        await require_visible_event(connection, principal, event_id)
        found = await thresholds.event_threshold(connection, event_id)
    if found is None:
        raise NotFound("Event", event_id)
    return _answer(event_id, found)


@router.put("")
async def change_event_threshold(
    event_id: PathId, asked: OwnThreshold, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """Change it and match the event again; 60 to 100, or null for the one of all events."""
    async with gallery.database.unit_of_work() as unit:
        changed = await set_event_threshold(event_id, asked.value, principal=principal, unit=unit)
    return _answer(event_id, changed)


def _answer(event_id: int, found: EventThreshold) -> Response:
    return json_answer(
        {"event_id": event_id, "threshold": percent(found.value), "is_own": found.is_own}
    )

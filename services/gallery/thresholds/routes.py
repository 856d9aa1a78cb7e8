"""How alike a face must be to be shown to a guest, 60 to 100; and matching an event again."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from libs.common.errors import NotFound
from libs.common.messaging.messages import RematchRequested
from libs.common.web.auth import Admin, Photographer, PhotographerOrAdmin, Principal, Role, require
from libs.common.web.ids import PathId
from libs.common.web.openapi import problems
from services.gallery.events.access import require_visible_event
from services.gallery.gallery import CurrentGallery, Gallery
from services.gallery.thresholds import repository as thresholds
from services.gallery.thresholds.changes import (
    HIGHEST,
    LOWEST,
    set_event_threshold,
    set_shared_threshold,
)
from services.gallery.thresholds.preview import preview_threshold
from services.gallery.thresholds.repository import EventThreshold
from services.gallery.thresholds.schemas import (
    MatchThreshold,
    RematchScheduled,
    Threshold,
    ThresholdPreview,
)
from services.gallery.web.answers import json_answer, percent

#: The address is older than the other face engines; the threshold is everybody's.
admin_router = APIRouter(
    prefix="/api/admin/rekognition/threshold",
    tags=["admin"],
    dependencies=[Depends(require(Role.ADMIN))],
)
router = APIRouter(
    prefix="/api/photographer/events/{event_id}/match-threshold", tags=["photographers"]
)
rematch_router = APIRouter(prefix="/api")
Number = Annotated[float, Field(allow_inf_nan=False)]


class SharedThreshold(BaseModel):
    """A threshold for all events; it is clamped to 60..100."""

    value: Number


class OwnThreshold(BaseModel):
    """A threshold for one event; null for the one of all events."""

    value: Number | None


@admin_router.get("", operation_id="get_shared_threshold", response_model=Threshold)
async def shared_threshold(gallery: CurrentGallery) -> Response:
    """The threshold of events that have none of their own."""
    async with gallery.database.read() as connection:
        value = await thresholds.shared_threshold(connection)
    return json_answer({"threshold": percent(value)})


@admin_router.post("", response_model=Threshold)
async def change_shared_threshold(
    asked: SharedThreshold, principal: Admin, gallery: CurrentGallery
) -> Response:
    """Change it; the events it counts for are matched again."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            value = await set_shared_threshold(asked.value, actor_id=principal.user_id, unit=unit)
    return json_answer({"threshold": percent(value)})


@router.get(
    "", operation_id="get_event_threshold", response_model=MatchThreshold, responses=problems(404)
)
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


@router.get(
    "/preview",
    operation_id="preview_event_threshold",
    response_model=ThresholdPreview,
    responses=problems(404, 410),
)
async def event_threshold_preview(
    event_id: PathId,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
    value: Annotated[float, Query(ge=LOWEST, le=HIGHEST, allow_inf_nan=False)],
) -> Response:
    """How many photos would move with another threshold, and where; nothing is changed."""
    async with gallery.list_turn(principal.user_id), gallery.database.scan() as connection:
        await require_visible_event(connection, principal, event_id)
        found = await preview_threshold(connection, event_id, value)
    return json_answer({"event_id": event_id, "threshold": value} | asdict(found))


@router.put("", response_model=MatchThreshold, responses=problems(404))
async def change_event_threshold(
    event_id: PathId, asked: OwnThreshold, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """Change it and match the event again; 60 to 100, or null for the one of all events."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            changed = await set_event_threshold(
                event_id, asked.value, principal=principal, unit=unit
            )
    return _answer(event_id, changed)


@rematch_router.post(
    "/admin/events/{event_id}/rematch",
    tags=["admin"],
    operation_id="rematch_event_as_admin",
    response_model=RematchScheduled,
    responses=problems(404),
)
async def rematch_as_admin(event_id: PathId, principal: Admin, gallery: CurrentGallery) -> Response:
    """Have the event's selfies matched again."""
    return await _rematch(event_id, principal, gallery)


@rematch_router.post(
    "/photographer/events/{event_id}/rematch",
    tags=["photographers"],
    operation_id="rematch_event",
    response_model=RematchScheduled,
    responses=problems(404),
)
async def rematch(event_id: PathId, principal: Photographer, gallery: CurrentGallery) -> Response:
    """Have the event's selfies matched again."""
    return await _rematch(event_id, principal, gallery)


async def _rematch(event_id: int, principal: Principal, gallery: Gallery) -> Response:
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            event = await require_visible_event(unit.connection, principal, event_id)
            # Nothing is matched in an event that is over.
            event.state.require_open(event_id, runs_event=False)
            unit.publish(RematchRequested(event_id=event_id))
    return json_answer({"scheduled": True, "event_id": event_id})


def _answer(event_id: int, found: EventThreshold) -> Response:
    return json_answer(
        {"event_id": event_id, "threshold": percent(found.value), "is_own": found.is_own}
    )

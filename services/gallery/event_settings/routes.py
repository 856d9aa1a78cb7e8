"""An event's settings, for its photographer and admins."""

from datetime import timedelta

from fastapi import APIRouter, Response

from libs.common.web.auth import PhotographerOrAdmin
from libs.common.web.ids import PathId
from libs.common.web.openapi import problems
from services.gallery.event_settings import schemas
from services.gallery.event_settings.changes import (
    change_settings,
    delete_own_event,
    event_settings,
)
from services.gallery.event_settings.rules import EventSettings
from services.gallery.event_settings.views import look_view
from services.gallery.events.views import event_view
from services.gallery.gallery import CurrentGallery, Gallery
from services.gallery.web.answers import json_answer
from services.gallery.web.schemas import Message

router = APIRouter(prefix="/api/photographer/events/{event_id}", tags=["photographers"])


@router.get(
    "/settings",
    operation_id="get_event_settings",
    response_model=schemas.EventSettings,
    responses=problems(404, 410),
)
async def settings_of_event(
    event_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """What can be changed of the event, and how it is."""
    async with gallery.database.read() as connection:
        found = await event_settings(connection, event_id, principal=principal)
    return _answer(found, gallery)


@router.patch(
    "/settings",
    operation_id="change_event_settings",
    response_model=schemas.EventSettings,
    responses=problems(400, 404, 410),
)
async def change(
    event_id: PathId,
    asked: schemas.EventSettingsChange,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
) -> Response:
    """Change what is named; the rest stays as it is."""
    named = asked.model_dump(exclude_unset=True)
    lifetime = timedelta(days=gallery.settings.event_lifetime_days)
    async for attempt in gallery.database.attempts(patient="time_zone" in named):
        async with attempt as unit:
            changed = await change_settings(
                event_id, named, principal=principal, lifetime=lifetime, unit=unit
            )
    return _answer(changed, gallery)


@router.delete(
    "",
    operation_id="delete_own_event",
    response_model=Message,
    responses=problems(404, 410),
)
async def remove(
    event_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """Delete an event with its photos, faces and matches; the guests' accounts stay."""
    async for attempt in gallery.database.attempts(patient=True):
        async with attempt as unit:
            await delete_own_event(event_id, principal=principal, unit=unit)
    return json_answer({"message": "Event deleted."})


def _answer(found: EventSettings, gallery: Gallery) -> Response:
    cover = found.look.cover
    return json_answer(
        event_view(found.event)
        | look_view(found.event, found.look, gallery.links)
        | {
            "cover_photo_id": cover.photo_id if cover else None,
            "selected_only": found.selected_only,
        }
    )

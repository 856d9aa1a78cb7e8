"""A photographer's events and photos."""

import re
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from libs.common.errors import InvalidInput, NotFound
from libs.common.web.auth import Photographer, PhotographerOrAdmin
from services.gallery.events import repository as events
from services.gallery.events.access import require_visible_event
from services.gallery.gallery import CurrentGallery
from services.gallery.lists.photographer_lists import event_photos, uploaded_photos
from services.gallery.matching.request_rematch import request_rematch
from services.gallery.operations.queue_stats import progress
from services.gallery.photos.change_photos import delete_photos, show_photos
from services.gallery.web.answers import json_answer, list_answer
from services.gallery.web.fields import MAX_ID, PathId, RequestedPage, RowId
from services.gallery.web.views import event_view

router = APIRouter(prefix="/api", tags=["photographers"])
_ID = re.compile(r"[0-9]{1,19}")


class Visibility(BaseModel):
    """Whether everybody sees a photo; null leaves it to the event's other photos."""

    show_in_general: bool | None


class BulkVisibility(Visibility):
    """The same for several photos."""

    photo_ids: list[RowId]


@router.get("/photographer/events")
async def my_events(principal: Photographer, gallery: CurrentGallery) -> Response:
    """The photographer's events."""
    async with gallery.database.read() as connection:
        found = await events.all_events(connection, photographer_id=principal.user_id)
    return json_answer([event_view(event) for event in found])


@router.get("/photographer/my-event")
async def my_event(principal: Photographer, gallery: CurrentGallery) -> Response:
    """The photographer's first event."""
    async with gallery.database.read() as connection:
        found = await events.all_events(connection, photographer_id=principal.user_id)
    if not found:
        raise NotFound("Event", principal.user_id)
    return json_answer(event_view(found[0]))


@router.get("/photographer/events/{event_id}/photos")
async def photos_of_event(
    event_id: PathId,
    request: Request,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
    page: RequestedPage,
) -> Response:
    """All photos of the event, with why one failed."""
    found = await event_photos(event_id, page, principal=principal, gallery=gallery)
    return list_answer(request, found, page)


@router.get("/photographer/events/{event_id}/progress")
async def progress_of_event(
    event_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """How many photos of the event are in each status."""
    async with gallery.database.read() as connection:
        await require_visible_event(connection, principal, event_id)
        counts = await events.count_photos_by_status(connection, event_id)
    return json_answer(progress(counts))


@router.post("/photographer/events/{event_id}/rematch")
async def rematch(event_id: PathId, principal: Photographer, gallery: CurrentGallery) -> Response:
    """Have the event's selfies matched again."""
    async with gallery.database.unit_of_work() as unit:
        await request_rematch(event_id, principal=principal, unit=unit)
    return json_answer({"scheduled": True, "event_id": event_id})


@router.get("/my-uploaded-photos")
async def my_uploaded_photos(
    request: Request, principal: Photographer, gallery: CurrentGallery, page: RequestedPage
) -> Response:
    """All photos the photographer uploaded."""
    found = await uploaded_photos(page, photographer_id=principal.user_id, gallery=gallery)
    return list_answer(request, found, page)


# Before the route with an id, which would take "bulk" for one.
@router.put("/photos/bulk/show-in-general")
async def show_several(
    asked: BulkVisibility, principal: Photographer, gallery: CurrentGallery
) -> Response:
    """Show or hide photos; those of others are skipped."""
    async with gallery.database.unit_of_work() as unit:
        count = await show_photos(
            asked.photo_ids, owner_id=principal.user_id, show=asked.show_in_general, unit=unit
        )
    return json_answer(
        {
            "message": f"{count} photos changed.",
            "updated_count": count,
            "show_in_general": asked.show_in_general,
        }
    )


@router.put("/photos/{photo_id}/show-in-general")
async def show_one(
    photo_id: PathId, asked: Visibility, principal: Photographer, gallery: CurrentGallery
) -> Response:
    """Show or hide a photo."""
    async with gallery.database.unit_of_work() as unit:
        await show_photos(
            [photo_id], owner_id=principal.user_id, show=asked.show_in_general, unit=unit
        )
    return json_answer(
        {
            "message": "Photo changed.",
            "photo_id": photo_id,
            "show_in_general": asked.show_in_general,
        }
    )


@router.delete("/photos/{photo_id}")
async def delete_one(
    photo_id: PathId, principal: Photographer, gallery: CurrentGallery
) -> Response:
    """Delete a photo."""
    async with gallery.database.unit_of_work() as unit:
        await delete_photos([photo_id], owner_id=principal.user_id, unit=unit)
    return json_answer({"message": "Photo deleted.", "photo_id": photo_id})


@router.delete("/photos")
async def delete_several(
    photo_ids: Annotated[str, Query()], principal: Photographer, gallery: CurrentGallery
) -> Response:
    """Delete photos, named by ids with commas between; those of others are skipped."""
    async with gallery.database.unit_of_work() as unit:
        count = await delete_photos(_ids(photo_ids), owner_id=principal.user_id, unit=unit)
    return json_answer({"message": f"{count} photos deleted.", "deleted_count": count})


def _ids(joined: str) -> list[int]:
    parts = [part.strip() for part in joined.split(",") if part.strip()]
    if not all(_ID.fullmatch(part) and int(part) <= MAX_ID for part in parts):
        msg = "photo_ids must be ids with commas between: 1,2,3"
        raise InvalidInput(msg)
    return [int(part) for part in parts]

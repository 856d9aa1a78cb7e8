"""What a photographer changes of photos, and how far their processing is."""

import re
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from libs.common.errors import InvalidInput
from libs.common.messaging.messages import MAX_ID
from libs.common.web.auth import Photographer, PhotographerOrAdmin
from libs.common.web.ids import PathId, RowId
from libs.common.web.openapi import problems
from services.gallery.events.access import require_visible_event
from services.gallery.gallery import CurrentGallery
from services.gallery.photos import repository as photos
from services.gallery.photos.changes import analyse_again, delete_photos, show_photos
from services.gallery.photos.progress import progress
from services.gallery.photos.schemas import (
    AnalysedAgain,
    ChangedVisibilities,
    ChangedVisibility,
    DeletedPhoto,
    DeletedPhotos,
    Progress,
)
from services.gallery.web.answers import json_answer

router = APIRouter(prefix="/api", tags=["photographers"])
#: 1,000 ids of the greatest length.
MAX_IDS_CHARACTERS = 20_000
_ID = re.compile(r"[0-9]{1,19}")


class Visibility(BaseModel):
    """Whether everybody sees a photo; null leaves it to the event's other photos."""

    show_in_general: bool | None


class BulkVisibility(Visibility):
    """The same for several photos."""

    photo_ids: list[RowId]


class FailedPhotos(BaseModel):
    """Which photos; null for all of the event that failed."""

    photo_ids: list[RowId] | None = Field(default=None, min_length=1)


@router.get(
    "/photographer/events/{event_id}/progress",
    operation_id="get_event_progress",
    response_model=Progress,
    responses=problems(404),
)
async def progress_of_event(
    event_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """How many photos of the event are in each status."""
    async with gallery.database.read() as connection:
        await require_visible_event(connection, principal, event_id)
        counts = await photos.count_by_status(connection, event_id)
    return json_answer(progress(counts))


@router.post(
    "/photographer/events/{event_id}/photos/analyse-again",
    operation_id="analyse_photos_again",
    response_model=AnalysedAgain,
    responses=problems(404, 410),
)
async def analyse_failed_again(
    event_id: PathId, asked: FailedPhotos, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """Have failed photos analysed once more: those named, or all of the event's."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            count = await analyse_again(event_id, asked.photo_ids, principal=principal, unit=unit)
    return json_answer({"message": f"{count} photos are analysed again.", "scheduled": count})


# Before the route with an id, which would take "bulk" for one.
@router.put(
    "/photos/bulk/show-in-general",
    operation_id="show_photos",
    response_model=ChangedVisibilities,
    responses=problems(404),
)
async def show_several(
    asked: BulkVisibility, principal: Photographer, gallery: CurrentGallery
) -> Response:
    """Show or hide photos; those of others are skipped."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
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


@router.put(
    "/photos/{photo_id}/show-in-general",
    operation_id="show_photo",
    response_model=ChangedVisibility,
    responses=problems(404),
)
async def show_one(
    photo_id: PathId, asked: Visibility, principal: Photographer, gallery: CurrentGallery
) -> Response:
    """Show or hide a photo."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
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


@router.delete(
    "/photos/{photo_id}",
    operation_id="delete_photo",
    response_model=DeletedPhoto,
    responses=problems(404),
)
async def delete_one(
    photo_id: PathId, principal: Photographer, gallery: CurrentGallery
) -> Response:
    """Delete a photo."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await delete_photos([photo_id], owner_id=principal.user_id, unit=unit)
    return json_answer({"message": "Photo deleted.", "photo_id": photo_id})


@router.delete(
    "/photos",
    operation_id="delete_photos",
    response_model=DeletedPhotos,
    responses=problems(400, 404),
)
async def delete_several(
    photo_ids: Annotated[str, Query(max_length=MAX_IDS_CHARACTERS)],
    principal: Photographer,
    gallery: CurrentGallery,
) -> Response:
    """Delete photos, named by ids with commas between; those of others are skipped."""
    async for attempt in gallery.database.attempts(patient=True):
        async with attempt as unit:
            count = await delete_photos(_ids(photo_ids), owner_id=principal.user_id, unit=unit)
    return json_answer({"message": f"{count} photos deleted.", "deleted_count": count})


def _ids(joined: str) -> list[int]:
    parts = [part.strip() for part in joined.split(",") if part.strip()]
    if not all(_ID.fullmatch(part) and int(part) <= MAX_ID for part in parts):
        msg = "photo_ids must be ids with commas between: 1,2,3"
        raise InvalidInput(msg)
    return [int(part) for part in parts]

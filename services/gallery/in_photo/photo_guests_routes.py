"""Who is in a photo, by match or by the photographer's hand."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from libs.common.web.auth import PhotographerOrAdmin
from services.gallery.events.access import require_visible_event
from services.gallery.gallery import CurrentGallery
from services.gallery.in_photo.photo_guests import (
    PhotoOfEvent,
    add_guest,
    guests_in_photo,
    take_guest_out,
)
from services.gallery.in_photo.photo_guests_repository import guests_of_event
from services.gallery.web.answers import json_answer
from services.gallery.web.fields import PathId, RowId

router = APIRouter(prefix="/api/photographer/events/{event_id}", tags=["photographers"])


class NamedGuest(BaseModel):
    """Which guest is meant."""

    user_id: RowId


@router.get("/guests")
async def guests(
    event_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """Everybody who has joined the event, by name."""
    async with gallery.database.read() as connection:
        await require_visible_event(connection, principal, event_id)
        found = await guests_of_event(connection, event_id)
    return json_answer(found)


@router.get("/photos/{photo_id}/guests")
async def guests_of_photo(
    event_id: PathId, photo_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """Who is in the photo, the most alike first; those added by hand may be like no face."""
    photo = PhotoOfEvent(event_id, photo_id)
    return json_answer(await guests_in_photo(photo, principal=principal, database=gallery.database))


@router.post("/photos/{photo_id}/guests")
async def add_by_hand(
    event_id: PathId,
    photo_id: PathId,
    asked: NamedGuest,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
) -> Response:
    """Show the photo to a guest of the event; 409 when they said that it is not them."""
    photo = PhotoOfEvent(event_id, photo_id)
    async with gallery.database.unit_of_work() as unit:
        await add_guest(photo, asked.user_id, principal=principal, unit=unit)
    return json_answer(
        {
            "message": "The guest was added to the photo.",
            "photo_id": photo_id,
            "user_id": asked.user_id,
        }
    )


@router.delete("/photos/{photo_id}/guests/{user_id}")
async def take_back(
    event_id: PathId,
    photo_id: PathId,
    user_id: PathId,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
) -> Response:
    """Take a guest out whom somebody added by hand; matches and the guest's own word stay."""
    photo = PhotoOfEvent(event_id, photo_id)
    async with gallery.database.unit_of_work() as unit:
        await take_guest_out(photo, user_id, principal=principal, unit=unit)
    return json_answer(
        {"message": "The guest was taken out.", "photo_id": photo_id, "user_id": user_id}
    )

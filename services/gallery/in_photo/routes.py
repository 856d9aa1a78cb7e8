"""Who is in a photo: faces, guests, and what people say of them."""

from fastapi import APIRouter, Response

from libs.common.web.auth import CurrentPrincipal, Participant, PhotographerOrAdmin
from libs.common.web.ids import PathId
from services.gallery.events.access import require_visible_event
from services.gallery.gallery import CurrentGallery
from services.gallery.in_photo import repository as in_photo
from services.gallery.in_photo.verdicts import (
    add_guest,
    say_its_me,
    say_not_me,
    take_guest_out,
    undo_not_me,
)
from services.gallery.in_photo.who_is_in_photo import PhotoOfEvent, photo_faces, photo_guests
from services.gallery.web.answers import json_answer
from services.gallery.web.requests import NamedGuest

router = APIRouter(prefix="/api", tags=["participants"])
photographer_router = APIRouter(
    prefix="/api/photographer/events/{event_id}", tags=["photographers"]
)


@router.get("/photo/{photo_id}/faces")
async def faces_of_photo(
    photo_id: PathId, principal: CurrentPrincipal, gallery: CurrentGallery
) -> Response:
    """The photo's faces; which one is the caller's."""
    return json_answer(await photo_faces(photo_id, principal=principal, database=gallery.database))


@router.post("/my-photos/{photo_id}/not-me")
async def not_me(
    photo_id: PathId, principal: Participant, gallery: CurrentGallery
) -> dict[str, str | int]:
    """Say that a photo does not show the caller: it leaves their list and stays away."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await say_not_me(photo_id, user_id=principal.user_id, unit=unit)
    return {"message": "This photo is not shown as yours any more.", "photo_id": photo_id}


@router.delete("/my-photos/{photo_id}/not-me")
async def not_me_undone(
    photo_id: PathId, principal: Participant, gallery: CurrentGallery
) -> dict[str, str | int]:
    """Take "not me" back: the photo is the caller's again if it was before."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await undo_not_me(photo_id, user_id=principal.user_id, unit=unit)
    return {"message": "Your word on this photo has been taken back.", "photo_id": photo_id}


@router.post("/my-photos/{photo_id}/its-me")
async def its_me(
    photo_id: PathId, principal: Participant, gallery: CurrentGallery
) -> dict[str, str | int]:
    """Confirm an uncertain photo; 409 when nobody in it is like the caller's selfies."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await say_its_me(photo_id, user_id=principal.user_id, unit=unit)
    return {"message": "This photo is shown as yours.", "photo_id": photo_id}


@photographer_router.get("/guests")
async def guests(
    event_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """Everybody who has joined the event, by name."""
    async with gallery.database.read() as connection:
        await require_visible_event(connection, principal, event_id)
        found = await in_photo.guests_of_event(connection, event_id)
    return json_answer(found)


@photographer_router.get("/photos/{photo_id}/guests")
async def guests_of_photo(
    event_id: PathId, photo_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """Who is in the photo, the most alike first; those added by hand may be like no face."""
    photo = PhotoOfEvent(event_id, photo_id)
    return json_answer(await photo_guests(photo, principal=principal, database=gallery.database))


@photographer_router.post("/photos/{photo_id}/guests")
async def add_by_hand(
    event_id: PathId,
    photo_id: PathId,
    asked: NamedGuest,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
) -> Response:
    """Show the photo to a guest of the event; 409 when they said that it is not them."""
    photo = PhotoOfEvent(event_id, photo_id)
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await add_guest(photo, asked.user_id, principal=principal, unit=unit)
    return json_answer(
        {
            "message": "The guest was added to the photo.",
            "photo_id": photo_id,
            "user_id": asked.user_id,
        }
    )


@photographer_router.delete("/photos/{photo_id}/guests/{user_id}")
async def take_back(
    event_id: PathId,
    photo_id: PathId,
    user_id: PathId,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
) -> Response:
    """Take a guest out whom somebody added by hand; matches and what the guest said stay."""
    photo = PhotoOfEvent(event_id, photo_id)
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await take_guest_out(photo, user_id, principal=principal, unit=unit)
    return json_answer(
        {"message": "The guest was taken out.", "photo_id": photo_id, "user_id": user_id}
    )

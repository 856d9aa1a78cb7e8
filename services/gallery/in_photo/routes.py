"""Who is in a photo: faces, guests, and what people say of them."""

from collections.abc import Awaitable, Callable
from functools import partial

from fastapi import APIRouter, Response

from libs.common.web.auth import CurrentPrincipal, Participant, PhotographerOrAdmin
from libs.common.web.ids import PathId
from libs.common.web.openapi import problems
from services.gallery.events.access import require_visible_event
from services.gallery.gallery import CurrentGallery, Gallery
from services.gallery.in_photo import repository as in_photo
from services.gallery.in_photo.schemas import (
    EventGuest,
    GuestVerdict,
    PhotoFaces,
    PhotoGuest,
    PhotoVerdict,
)
from services.gallery.in_photo.verdicts import (
    add_guest,
    say_its_me,
    say_not_me,
    say_not_them,
    take_guest_out,
    undo_not_me,
    undo_not_them,
)
from services.gallery.in_photo.who_is_in_photo import PhotoOfEvent, photo_faces, photo_guests
from services.gallery.web.answers import json_answer
from services.gallery.web.requests import NamedGuest

router = APIRouter(prefix="/api", tags=["participants"])
photographer_router = APIRouter(
    prefix="/api/photographer/events/{event_id}", tags=["photographers"]
)


@router.get(
    "/photo/{photo_id}/faces",
    operation_id="list_faces_of_photo",
    response_model=PhotoFaces,
    responses=problems(404),
)
async def faces_of_photo(
    photo_id: PathId, principal: CurrentPrincipal, gallery: CurrentGallery
) -> Response:
    """The photo's faces; which one is the caller's."""
    return json_answer(await photo_faces(photo_id, principal=principal, database=gallery.database))


@router.post(
    "/my-photos/{photo_id}/not-me",
    operation_id="say_not_me",
    response_model=PhotoVerdict,
    responses=problems(404),
)
async def not_me(
    photo_id: PathId, principal: Participant, gallery: CurrentGallery
) -> dict[str, str | int]:
    """Say that a photo does not show the caller: it leaves their list and stays away."""
    await _say(gallery, partial(say_not_me, photo_id, user_id=principal.user_id))
    return {"message": "This photo is not shown as yours any more.", "photo_id": photo_id}


@router.delete(
    "/my-photos/{photo_id}/not-me",
    operation_id="undo_not_me",
    response_model=PhotoVerdict,
    responses=problems(404),
)
async def not_me_undone(
    photo_id: PathId, principal: Participant, gallery: CurrentGallery
) -> dict[str, str | int]:
    """Take "not me" back: the photo is the caller's again if it was before."""
    await _say(gallery, partial(undo_not_me, photo_id, user_id=principal.user_id))
    return {"message": "Your word on this photo has been taken back.", "photo_id": photo_id}


@router.post(
    "/my-photos/{photo_id}/its-me",
    operation_id="say_its_me",
    response_model=PhotoVerdict,
    responses=problems(404, 409),
)
async def its_me(
    photo_id: PathId, principal: Participant, gallery: CurrentGallery
) -> dict[str, str | int]:
    """Confirm an uncertain photo; 409 when nobody in it is like the caller's selfies."""
    await _say(gallery, partial(say_its_me, photo_id, user_id=principal.user_id))
    return {"message": "This photo is shown as yours.", "photo_id": photo_id}


@photographer_router.get(
    "/guests",
    operation_id="list_event_guests",
    response_model=list[EventGuest],
    responses=problems(404),
)
async def guests(
    event_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """Everybody who has joined the event, by name, and in how many photos they are."""
    # All matches of a large event are counted: seconds.
    async with gallery.list_turn(principal.user_id), gallery.database.scan() as connection:
        await require_visible_event(connection, principal, event_id)
        found = await in_photo.guests_of_event(connection, event_id)
    return json_answer(found)


@photographer_router.get(
    "/photos/{photo_id}/guests",
    operation_id="list_guests_of_photo",
    response_model=list[PhotoGuest],
    responses=problems(404),
)
async def guests_of_photo(
    event_id: PathId, photo_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Response:
    """Who is in the photo, the most alike first; those added by hand may be like no face."""
    photo = PhotoOfEvent(event_id, photo_id)
    return json_answer(await photo_guests(photo, principal=principal, database=gallery.database))


@photographer_router.post(
    "/photos/{photo_id}/guests",
    operation_id="add_guest_to_photo",
    response_model=GuestVerdict,
    responses=problems(404, 409),
)
async def add_by_hand(
    event_id: PathId,
    photo_id: PathId,
    asked: NamedGuest,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
) -> Response:
    """Show the photo to a guest of the event; 409 when they said that it is not them."""
    photo = PhotoOfEvent(event_id, photo_id)
    await _say(gallery, partial(add_guest, photo, asked.user_id, principal=principal))
    return _told("The guest was added to the photo.", photo_id, asked.user_id)


@photographer_router.delete(
    "/photos/{photo_id}/guests/{user_id}",
    operation_id="take_guest_out_of_photo",
    response_model=GuestVerdict,
    responses=problems(404, 409),
)
async def take_back(
    event_id: PathId,
    photo_id: PathId,
    user_id: PathId,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
) -> Response:
    """Take a guest out whom somebody added by hand; matches and what the guest said stay."""
    photo = PhotoOfEvent(event_id, photo_id)
    await _say(gallery, partial(take_guest_out, photo, user_id, principal=principal))
    return _told("The guest was taken out.", photo_id, user_id)


@photographer_router.put(
    "/photos/{photo_id}/guests/{user_id}/not-them",
    operation_id="say_not_them",
    response_model=GuestVerdict,
    responses=problems(404, 409),
)
async def not_them(
    event_id: PathId,
    photo_id: PathId,
    user_id: PathId,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
) -> Response:
    """Say that the photo does not show a guest; 409 when they said themselves that it does."""
    photo = PhotoOfEvent(event_id, photo_id)
    await _say(gallery, partial(say_not_them, photo, user_id, principal=principal))
    return _told("The photo is not shown as one of the guest's any more.", photo_id, user_id)


@photographer_router.delete(
    "/photos/{photo_id}/guests/{user_id}/not-them",
    operation_id="undo_not_them",
    response_model=GuestVerdict,
    responses=problems(404),
)
async def not_them_undone(
    event_id: PathId,
    photo_id: PathId,
    user_id: PathId,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
) -> Response:
    """Take that back: whom the photo was found to show, it shows again."""
    photo = PhotoOfEvent(event_id, photo_id)
    await _say(gallery, partial(undo_not_them, photo, user_id, principal=principal))
    return _told("That was taken back.", photo_id, user_id)


async def _say(gallery: Gallery, word: Callable[..., Awaitable[None]]) -> None:
    """Say it in a transaction; `word` has been given of whom, and by whom."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await word(unit=unit)


def _told(message: str, photo_id: int, user_id: int) -> Response:
    return json_answer({"message": message, "photo_id": photo_id, "user_id": user_id})

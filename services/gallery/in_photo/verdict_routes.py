"""What guests say of photos: not me, it's me, and the ones they have yet to say something of."""

from fastapi import APIRouter, Request, Response

from libs.common.web.auth import Participant
from services.gallery.gallery import CurrentGallery
from services.gallery.in_photo.verdicts import say_its_me, say_not_me, undo_not_me
from services.gallery.lists.eviction import ListKey, Scope
from services.gallery.lists.participant_lists import participant_list, require_main_event
from services.gallery.web.answers import list_answer
from services.gallery.web.fields import PathId, RequestedPage

router = APIRouter(prefix="/api", tags=["participants"])


@router.post("/my-photos/{photo_id}/not-me")
async def not_me(
    photo_id: PathId, principal: Participant, gallery: CurrentGallery
) -> dict[str, str | int]:
    """Say that a photo does not show the caller: it leaves their list and stays away."""
    async with gallery.database.unit_of_work() as unit:
        await say_not_me(photo_id, user_id=principal.user_id, unit=unit)
    return {"message": "This photo is not shown as yours any more.", "photo_id": photo_id}


@router.delete("/my-photos/{photo_id}/not-me")
async def not_me_undone(
    photo_id: PathId, principal: Participant, gallery: CurrentGallery
) -> dict[str, str | int]:
    """Take "not me" back: the photo is the caller's again if it was before."""
    async with gallery.database.unit_of_work() as unit:
        await undo_not_me(photo_id, user_id=principal.user_id, unit=unit)
    return {"message": "Your word on this photo has been taken back.", "photo_id": photo_id}


@router.post("/my-photos/{photo_id}/its-me")
async def its_me(
    photo_id: PathId, principal: Participant, gallery: CurrentGallery
) -> dict[str, str | int]:
    """Confirm an uncertain photo; 409 when nobody in it is like the caller's selfies."""
    async with gallery.database.unit_of_work() as unit:
        await say_its_me(photo_id, user_id=principal.user_id, unit=unit)
    return {"message": "This photo is shown as yours.", "photo_id": photo_id}


@router.get("/my-uncertain-photos")
async def my_uncertain_photos(
    request: Request, principal: Participant, gallery: CurrentGallery, page: RequestedPage
) -> Response:
    """The main event's photos that the caller may be in, with the face that may be theirs."""
    event_id = await require_main_event(principal.user_id, gallery=gallery)
    key = ListKey(event_id, principal.user_id, Scope.UNCERTAIN, page)
    return list_answer(request, await participant_list(key, gallery=gallery), page)


@router.get("/user/events/{event_id}/uncertain-photos")
async def uncertain_photos_of_event(
    event_id: PathId,
    request: Request,
    principal: Participant,
    gallery: CurrentGallery,
    page: RequestedPage,
) -> Response:
    """One event's photos that the caller may be in."""
    key = ListKey(event_id, principal.user_id, Scope.UNCERTAIN, page)
    return list_answer(request, await participant_list(key, gallery=gallery), page)

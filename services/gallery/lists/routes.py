"""Photo lists: a participant's of an event, and a photographer's."""

from fastapi import APIRouter, Request, Response

from libs.common.database.clock import present_moment
from libs.common.web.auth import Participant, Photographer, PhotographerOrAdmin
from libs.common.web.ids import PathId
from services.gallery.events.access import require_event
from services.gallery.gallery import CurrentGallery
from services.gallery.lists.answer import list_answer
from services.gallery.lists.cache import ListKey, Scope
from services.gallery.lists.participant_lists import (
    count_general_photos,
    participant_list,
    require_main_event,
)
from services.gallery.lists.photographer_lists import event_photos, uploaded_photos
from services.gallery.web.answers import json_answer
from services.gallery.web.paging import RequestedPage

router = APIRouter(prefix="/api", tags=["participants"])
photographer_router = APIRouter(prefix="/api", tags=["photographers"])


@router.get("/user/event-expiration")
async def event_expiration(principal: Participant, gallery: CurrentGallery) -> Response:
    """How long the main event's photos can still be seen."""
    event_id = await require_main_event(principal.user_id, gallery=gallery)
    async with gallery.database.read() as connection:
        event = await require_event(connection, event_id)
        count = await count_general_photos(connection, event_id)
        left = (event.expires_at - await present_moment(connection)).total_seconds()
    return json_answer(
        {
            "event_id": event_id,
            "expires_at": event.expires_at,
            "seconds_remaining": max(0, int(left)),
            "photos_count": count,
        }
    )


@router.get("/my-photos")
async def my_photos(
    request: Request, principal: Participant, gallery: CurrentGallery, page: RequestedPage
) -> Response:
    """The main event's photos that show the caller."""
    event_id = await require_main_event(principal.user_id, gallery=gallery)
    key = ListKey(event_id, principal.user_id, Scope.OWN, page)
    return list_answer(request, await participant_list(key, gallery=gallery), page)


@router.get("/all-photos")
async def all_photos(
    request: Request, principal: Participant, gallery: CurrentGallery, page: RequestedPage
) -> Response:
    """The main event's general photos."""
    event_id = await require_main_event(principal.user_id, gallery=gallery)
    key = ListKey(event_id, principal.user_id, Scope.GENERAL, page)
    return list_answer(request, await participant_list(key, gallery=gallery), page)


@router.get("/my-uncertain-photos")
async def my_uncertain_photos(
    request: Request, principal: Participant, gallery: CurrentGallery, page: RequestedPage
) -> Response:
    """The main event's photos that the caller may be in, with the face that may be theirs."""
    event_id = await require_main_event(principal.user_id, gallery=gallery)
    key = ListKey(event_id, principal.user_id, Scope.UNCERTAIN, page)
    return list_answer(request, await participant_list(key, gallery=gallery), page)


@router.get("/user/events/{event_id}/photos")
async def my_photos_of_event(
    event_id: PathId,
    request: Request,
    principal: Participant,
    gallery: CurrentGallery,
    page: RequestedPage,
) -> Response:
    """One event's photos that show the caller."""
    key = ListKey(event_id, principal.user_id, Scope.OWN, page)
    return list_answer(request, await participant_list(key, gallery=gallery), page)


@router.get("/user/events/{event_id}/all-photos")
async def all_photos_of_event(
    event_id: PathId,
    request: Request,
    principal: Participant,
    gallery: CurrentGallery,
    page: RequestedPage,
) -> Response:
    """One event's general photos."""
    key = ListKey(event_id, principal.user_id, Scope.GENERAL, page)
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


@photographer_router.get("/photographer/events/{event_id}/photos")
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


@photographer_router.get("/my-uploaded-photos")
async def my_uploaded_photos(
    request: Request, principal: Photographer, gallery: CurrentGallery, page: RequestedPage
) -> Response:
    """All photos the photographer uploaded."""
    found = await uploaded_photos(page, photographer_id=principal.user_id, gallery=gallery)
    return list_answer(request, found, page)

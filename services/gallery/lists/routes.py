"""Photo lists: a participant's of an event, and a photographer's."""

from fastapi import APIRouter, Request, Response

from libs.common.database.clock import present_moment
from libs.common.web.at_once import ready
from libs.common.web.auth import Participant, Photographer, PhotographerOrAdmin
from libs.common.web.ids import PathId
from libs.common.web.openapi import problems
from services.gallery.events.access import require_event
from services.gallery.gallery import CurrentGallery
from services.gallery.lists.answer import list_answer
from services.gallery.lists.at_hand import kept_list
from services.gallery.lists.cache import ListKey, Scope
from services.gallery.lists.participant_lists import (
    count_general_photos,
    favourites_of_event,
    participant_answer,
    require_main_event,
)
from services.gallery.lists.photographer_lists import event_photos, uploaded_photos
from services.gallery.lists.schemas import (
    EventExpiration,
    GuestPhoto,
    PhotographerPhoto,
    UncertainPhoto,
)
from services.gallery.web.answers import json_answer
from services.gallery.web.paging import Page, RequestedPage, SortedPage
from services.gallery.web.schemas import paged

#: What lists answer beside their photos.
LIST = paged(has_tag=True) | problems(400)

router = APIRouter(prefix="/api", tags=["participants"])
photographer_router = APIRouter(prefix="/api", tags=["photographers"])


@router.get(
    "/user/event-expiration",
    operation_id="get_event_expiration",
    response_model=EventExpiration,
    responses=problems(404),
)
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


@router.get(
    "/my-photos",
    operation_id="list_my_photos",
    response_model=list[GuestPhoto],
    responses=LIST | problems(404, 410),
)
@ready(by=kept_list(Scope.OWN))
async def my_photos(
    request: Request, principal: Participant, gallery: CurrentGallery, page: SortedPage
) -> Response:
    """The main event's photos that show the caller."""
    event_id = await require_main_event(principal.user_id, gallery=gallery)
    key = ListKey(event_id, principal.user_id, Scope.OWN, page)
    return await participant_answer(request, key, gallery=gallery)


@router.get(
    "/all-photos",
    operation_id="list_all_photos",
    response_model=list[GuestPhoto],
    responses=LIST | problems(404, 410),
)
@ready(by=kept_list(Scope.GENERAL))
async def all_photos(
    request: Request, principal: Participant, gallery: CurrentGallery, page: SortedPage
) -> Response:
    """The main event's general photos."""
    event_id = await require_main_event(principal.user_id, gallery=gallery)
    key = ListKey(event_id, principal.user_id, Scope.GENERAL, page)
    return await participant_answer(request, key, gallery=gallery)


@router.get(
    "/my-uncertain-photos",
    operation_id="list_my_uncertain_photos",
    response_model=list[UncertainPhoto],
    responses=LIST | problems(404, 410),
)
@ready(by=kept_list(Scope.UNCERTAIN))
async def my_uncertain_photos(
    request: Request, principal: Participant, gallery: CurrentGallery, page: SortedPage
) -> Response:
    """The main event's photos that the caller may be in, with the face that may be theirs."""
    event_id = await require_main_event(principal.user_id, gallery=gallery)
    key = ListKey(event_id, principal.user_id, Scope.UNCERTAIN, page)
    return await participant_answer(request, key, gallery=gallery)


@router.get(
    "/user/events/{event_id}/photos",
    operation_id="list_my_photos_of_event",
    response_model=list[GuestPhoto],
    responses=LIST,
)
@ready(by=kept_list(Scope.OWN))
async def my_photos_of_event(
    event_id: PathId,
    request: Request,
    principal: Participant,
    gallery: CurrentGallery,
    page: SortedPage,
) -> Response:
    """One event's photos that show the caller."""
    key = ListKey(event_id, principal.user_id, Scope.OWN, page)
    return await participant_answer(request, key, gallery=gallery)


@router.get(
    "/user/events/{event_id}/all-photos",
    operation_id="list_all_photos_of_event",
    response_model=list[GuestPhoto],
    responses=LIST,
)
@ready(by=kept_list(Scope.GENERAL))
async def all_photos_of_event(
    event_id: PathId,
    request: Request,
    principal: Participant,
    gallery: CurrentGallery,
    page: SortedPage,
) -> Response:
    """One event's general photos."""
    key = ListKey(event_id, principal.user_id, Scope.GENERAL, page)
    return await participant_answer(request, key, gallery=gallery)


@router.get(
    "/user/events/{event_id}/favourites",
    operation_id="list_my_favourites_of_event",
    response_model=list[GuestPhoto],
    responses=problems(403, 410),
)
async def my_favourites_of_event(
    event_id: PathId, request: Request, principal: Participant, gallery: CurrentGallery
) -> Response:
    """The event's photos that the caller keeps as favourites, and may see still."""
    found = await favourites_of_event(event_id, principal=principal, gallery=gallery)
    return await list_answer(request, found, Page())


@router.get(
    "/user/events/{event_id}/uncertain-photos",
    operation_id="list_uncertain_photos_of_event",
    response_model=list[UncertainPhoto],
    responses=LIST,
)
@ready(by=kept_list(Scope.UNCERTAIN))
async def uncertain_photos_of_event(
    event_id: PathId,
    request: Request,
    principal: Participant,
    gallery: CurrentGallery,
    page: SortedPage,
) -> Response:
    """One event's photos that the caller may be in."""
    key = ListKey(event_id, principal.user_id, Scope.UNCERTAIN, page)
    return await participant_answer(request, key, gallery=gallery)


@photographer_router.get(
    "/photographer/events/{event_id}/photos",
    operation_id="list_photos_of_event",
    response_model=list[PhotographerPhoto],
    responses=LIST | problems(404, 410),
)
async def photos_of_event(
    event_id: PathId,
    request: Request,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
    page: SortedPage,
) -> Response:
    """All photos of the event, with why one failed."""
    found = await event_photos(event_id, page, principal=principal, gallery=gallery)
    return await list_answer(request, found, page)


@photographer_router.get(
    "/my-uploaded-photos",
    operation_id="list_my_uploaded_photos",
    response_model=list[PhotographerPhoto],
    responses=LIST,
)
async def my_uploaded_photos(
    request: Request, principal: Photographer, gallery: CurrentGallery, page: RequestedPage
) -> Response:
    """All photos the photographer uploaded."""
    found = await uploaded_photos(page, photographer_id=principal.user_id, gallery=gallery)
    return await list_answer(request, found, page)

"""A participant's events and photos."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Body, Request, Response

from libs.common.errors import NotFound
from libs.common.web.auth import CurrentPrincipal, Participant
from services.gallery.accounts.routes import EventCode
from services.gallery.events import repository as events
from services.gallery.events.join_event import join_event
from services.gallery.gallery import CurrentGallery
from services.gallery.in_photo.photo_faces import photo_faces
from services.gallery.lists import repository as photo_lists
from services.gallery.lists.eviction import ListKey, Scope
from services.gallery.lists.participant_lists import participant_list, require_main_event
from services.gallery.web.answers import json_answer, list_answer
from services.gallery.web.fields import PathId, RequestedPage, Text
from services.gallery.web.views import joined_event_view

router = APIRouter(prefix="/api", tags=["participants"])


@router.post("/join-event")
async def join(
    asked: Annotated[Text | EventCode, Body()], principal: Participant, gallery: CurrentGallery
) -> dict[str, str]:
    """Join a further event by its code."""
    code = asked.event_code if isinstance(asked, EventCode) else asked
    async with gallery.database.unit_of_work() as unit:
        name = await join_event(principal.user_id, code, unit=unit)
    return {"message": f"You have joined {name}."}


@router.get("/user/events")
async def my_events(principal: Participant, gallery: CurrentGallery) -> Response:
    """The participant's events, the main one first."""
    async with gallery.database.read() as connection:
        joined = await events.joined_events(connection, principal.user_id)
    return json_answer([joined_event_view(one) for one in joined])


@router.get("/user/event-expiration")
async def event_expiration(principal: Participant, gallery: CurrentGallery) -> Response:
    """How long the main event's photos can still be seen."""
    event_id = await require_main_event(principal.user_id, gallery=gallery)
    async with gallery.database.read() as connection:
        event = await events.find_event(connection, event_id)
        if event is None:
            raise NotFound("Event", event_id)
        count = await photo_lists.count_general_photos(connection, event_id)
    left = (event.expires_at - datetime.now(UTC)).total_seconds()
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
    key = ListKey(event_id, principal.user_id, Scope.SHARED, page)
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
    key = ListKey(event_id, principal.user_id, Scope.SHARED, page)
    return list_answer(request, await participant_list(key, gallery=gallery), page)


@router.get("/photo/{photo_id}/faces")
async def faces_of_photo(
    photo_id: PathId, principal: CurrentPrincipal, gallery: CurrentGallery
) -> Response:
    """The photo's faces; which one is the caller's."""
    return json_answer(await photo_faces(photo_id, principal=principal, database=gallery.database))

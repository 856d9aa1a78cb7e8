"""People in an event who have sent no selfie, for its photographer."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from libs.common.web.auth import PhotographerOrAdmin
from services.gallery.gallery import CurrentGallery
from services.gallery.people.event_people import (
    PeoplePage,
    add_guest_to_person,
    people_of_event,
    photos_of_person,
)
from services.gallery.people.people_place import decode_place
from services.gallery.web.answers import json_answer, list_answer
from services.gallery.web.fields import PathId, RequestedPage, RowId

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

router = APIRouter(prefix="/api/photographer/events/{event_id}/people", tags=["photographers"])


class NamedGuest(BaseModel):
    """Who a person is."""

    user_id: RowId


@router.get("")
async def people(
    event_id: PathId,
    request: Request,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
    min_photos: Annotated[int, Query(ge=1, le=1_000_000)] = 2,
    limit: Annotated[int, Query(ge=1)] = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> Response:
    """Who is in the event's photos and has sent no selfie, those in most photos first."""
    page = PeoplePage(min_photos, min(limit, MAX_LIMIT), decode_place(cursor) if cursor else None)
    found, next_cursor = await people_of_event(event_id, page, principal=principal, gallery=gallery)
    answer = json_answer(found)
    if next_cursor is not None:
        query = urlencode(
            {"min_photos": page.min_photos, "limit": page.limit, "cursor": next_cursor}
        )
        answer.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
    return answer


@router.get("/{person_id}/photos")
async def photos(
    event_id: PathId,
    person_id: PathId,
    request: Request,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
    page: RequestedPage,
) -> Response:
    """All photos of one of them, each with the place of the face."""
    found = await photos_of_person(event_id, person_id, page, principal=principal, gallery=gallery)
    return list_answer(request, found, page)


@router.post("/{person_id}/guest")
async def name_person(
    event_id: PathId,
    person_id: PathId,
    asked: NamedGuest,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
) -> Response:
    """Show a guest all photos of this person, but those of which the guest said "not me"."""
    additions = await add_guest_to_person(
        event_id, person_id, asked.user_id, principal=principal, gallery=gallery
    )
    return json_answer(
        {
            "message": f"Photos that the guest was added to: {additions.new}.",
            "user_id": asked.user_id,
            "added": additions.new,
            "added_before": additions.before,
            "denied_by_guest": additions.denied,
        }
    )

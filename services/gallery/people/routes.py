"""People in an event: who has sent no selfie, and which faces were found for whom."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from libs.common.web.auth import Admin, PhotographerOrAdmin, Role, require
from libs.common.web.ids import PathId
from libs.common.web.openapi import problems
from services.gallery.gallery import CurrentGallery
from services.gallery.lists.answer import list_answer
from services.gallery.lists.schemas import PersonPhoto
from services.gallery.people.face_groups import faces_of_guest, groups_of_event
from services.gallery.people.recognition_client import PersonPlace
from services.gallery.people.schemas import EventPeople, FaceGroups, GuestFaces, NamedPerson
from services.gallery.people.without_selfie import (
    PeoplePage,
    add_guest_to_person,
    people_of_event,
    photos_of_person,
)
from services.gallery.web.answers import json_answer
from services.gallery.web.paging import Cursor, RequestedPage, next_page
from services.gallery.web.requests import NamedGuest
from services.gallery.web.schemas import paged

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
DEFAULT_PHOTOS_EACH = 20
MAX_PHOTOS_EACH = 100
DEFAULT_FACES = 50
MAX_FACES = 1000

router = APIRouter(prefix="/api/photographer/events/{event_id}/people", tags=["photographers"])
face_groups_router = APIRouter(
    prefix="/api/admin/events/{event_id}",
    tags=["admin"],
    dependencies=[Depends(require(Role.ADMIN))],
)


@router.get(
    "",
    operation_id="list_event_people",
    response_model=EventPeople,
    responses=paged() | problems(400, 404, 409),
)
async def people(
    event_id: PathId,
    request: Request,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
    min_photos: Annotated[int, Query(ge=1, le=1_000_000)] = 2,
    limit: Annotated[int, Query(ge=1)] = DEFAULT_LIMIT,
    cursor: Cursor | None = None,
) -> Response:
    """Who is in the event's photos and has sent no selfie, those in most photos first."""
    after = PersonPlace.of_cursor(cursor) if cursor else None
    page = PeoplePage(min_photos, min(limit, MAX_LIMIT), after)
    found, next_cursor = await people_of_event(event_id, page, principal=principal, gallery=gallery)
    answer = json_answer(found)
    if next_cursor is not None:
        query = {"min_photos": page.min_photos, "limit": page.limit, "cursor": next_cursor}
        answer.headers["Link"] = next_page(request, query)
    return answer


@router.get(
    "/{person_id}/photos",
    operation_id="list_photos_of_person",
    response_model=list[PersonPhoto],
    responses=paged(has_tag=True) | problems(400, 404, 409),
)
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
    return await list_answer(request, found, page)


@router.post("/{person_id}/guest", response_model=NamedPerson, responses=problems(404, 409))
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


@face_groups_router.get(
    "/face-groups",
    operation_id="get_face_groups",
    response_model=FaceGroups,
    responses=problems(404),
)
async def face_groups(
    event_id: PathId,
    principal: Admin,
    gallery: CurrentGallery,
    limit: Annotated[int, Query(ge=1)] = DEFAULT_PHOTOS_EACH,
) -> Response:
    """The photos of each guest, by user id, with the score of their best face (0 to 100).

    `count` and `best_score` are about all photos of the guest in which a face was found for
    them; `photos` are the best `limit` (20, at most 100), and of all guests together at most
    100,000, where those in most photos come first. `samples` has up to 3 photos of each of the
    200 largest groups, with url, thumbnail_url and the face's box, for a look.
    """
    photos_each = min(limit, MAX_PHOTOS_EACH)
    return json_answer(
        await groups_of_event(
            event_id, photos_each=photos_each, actor_id=principal.user_id, gallery=gallery
        )
    )


@face_groups_router.get(
    "/users/{user_id}/group-faces",
    operation_id="list_faces_of_guest",
    response_model=GuestFaces,
    responses=problems(404),
)
async def group_faces(
    event_id: PathId,
    user_id: PathId,
    principal: Admin,
    gallery: CurrentGallery,
    limit: Annotated[int, Query(ge=1)] = DEFAULT_FACES,
) -> Response:
    """One guest's best face in each photo, the most alike first, up to `limit` (at most 1000)."""
    return json_answer(
        await faces_of_guest(
            event_id,
            user_id,
            limit=min(limit, MAX_FACES),
            actor_id=principal.user_id,
            gallery=gallery,
        )
    )

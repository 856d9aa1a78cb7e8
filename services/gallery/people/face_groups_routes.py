"""Which faces were found for whom."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from libs.common.web.auth import require
from libs.common.web.tokens import Role
from services.gallery.gallery import CurrentGallery
from services.gallery.people.face_groups import faces_of_guest, groups_of_event
from services.gallery.web.answers import json_answer
from services.gallery.web.fields import PathId

DEFAULT_PHOTOS_EACH = 20
MAX_PHOTOS_EACH = 100
DEFAULT_FACES = 50
MAX_FACES = 1000

router = APIRouter(
    prefix="/api/admin/events/{event_id}",
    tags=["admin"],
    dependencies=[Depends(require(Role.ADMIN))],
)


@router.get("/face-groups")
async def face_groups(
    event_id: PathId,
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
    return json_answer(await groups_of_event(event_id, photos_each=photos_each, gallery=gallery))


@router.get("/users/{user_id}/group-faces")
async def group_faces(
    event_id: PathId,
    user_id: PathId,
    gallery: CurrentGallery,
    limit: Annotated[int, Query(ge=1)] = DEFAULT_FACES,
) -> Response:
    """One guest's best face in each photo, the most alike first, up to `limit` (at most 1000)."""
    return json_answer(
        await faces_of_guest(event_id, user_id, limit=min(limit, MAX_FACES), gallery=gallery)
    )

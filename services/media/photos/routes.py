"""Photos by id or filename, for those who may see them (`libs.common.rights.photos`)."""

from fastapi import APIRouter, Request, Response

from libs.common.database.database import Database
from libs.common.errors import NotFound
from libs.common.web.auth import CurrentPrincipal, Principal, Role
from libs.common.web.ids import PathId, PathName
from libs.common.web.openapi import problems
from services.media.photos import repository
from services.media.photos.repository import PhotoRecord
from services.media.renditions.guest_copies import guest_answer, original_answer
from services.media.responses.headers import MAX_AGE_SECONDS, Keeping
from services.media.responses.schemas import files

PHOTO = "The photo; what guests get tells neither place, names nor serial numbers."

router = APIRouter(tags=["media"])


@router.get(
    "/api/photo/{photo_id}",
    summary="A photo by its id",
    operation_id="get_photo",
    responses=files(PHOTO) | problems(404, 410, 507),
    response_class=Response,
)
@router.head("/api/photo/{photo_id}", include_in_schema=False)
async def photo_by_id(
    request: Request,
    photo_id: PathId,
    principal: CurrentPrincipal,
) -> Response:
    """Serve the photo, to guests a copy; 404 also for those who may not know of it."""
    database: Database = request.app.state.resources.database
    async with database.read() as connection:
        photo = await repository.photo_by_id(connection, photo_id, principal)
    return await _answer(request, photo, photo_id, principal)


@router.get(
    "/api/image/{filename}",
    summary="A photo by its filename",
    operation_id="get_photo_by_filename",
    responses=files(PHOTO) | problems(404, 410, 507),
    response_class=Response,
)
@router.head("/api/image/{filename}", include_in_schema=False)
async def photo_by_filename(
    request: Request, filename: PathName, principal: CurrentPrincipal
) -> Response:
    """Serve the photo, to guests a copy; 404 also for those who may not know of it."""
    database: Database = request.app.state.resources.database
    async with database.read() as connection:
        photo = await repository.photo_by_filename(connection, filename, principal)
    return await _answer(request, photo, filename, principal)


async def _answer(
    request: Request, photo: PhotoRecord | None, identifier: object, principal: Principal
) -> Response:
    if photo is None:
        raise NotFound("Photo", identifier)
    photo.event.require_open(photo.event_id, runs_event=principal.role is not Role.PARTICIPANT)
    if principal.role is not Role.PARTICIPANT:
        return await original_answer(request, photo, keeping=Keeping(MAX_AGE_SECONDS))
    seconds_left = (photo.ends_at - photo.read_at).total_seconds()
    return await guest_answer(request, photo, keeping=Keeping(seconds_left))

"""Photos by id or filename, for the event's guests, its photographer and admins."""

from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.database import Database
from libs.common.errors import NotFound
from libs.common.rights.access import may_view_event
from libs.common.storage import keys
from libs.common.storage.protocol import ObjectStore
from libs.common.web.auth import CurrentPrincipal, Principal
from libs.common.web.ids import PathId
from services.media.photos import repository
from services.media.photos.repository import PhotoRecord
from services.media.responses.object_response import ObjectResponse

PRIVATE_IMMUTABLE = "private, max-age=31536000, immutable"

router = APIRouter(tags=["media"])


@router.get("/api/photo/{photo_id}", summary="A photo by its id")
@router.head("/api/photo/{photo_id}", include_in_schema=False)
async def photo_by_id(
    request: Request,
    photo_id: PathId,
    principal: CurrentPrincipal,
) -> ObjectResponse:
    """Serve the original; 404 also for those who may not know of it."""
    database: Database = request.app.state.resources.database
    async with database.read() as connection:
        photo = await repository.photo_by_id(connection, photo_id)
        photo = await _visible(connection, photo, photo_id, principal)
    return await _answer(request, photo)


@router.get("/api/image/{filename}", summary="A photo by its filename")
@router.head("/api/image/{filename}", include_in_schema=False)
async def photo_by_filename(
    request: Request, filename: str, principal: CurrentPrincipal
) -> ObjectResponse:
    """Serve the original; 404 also for those who may not know of it."""
    database: Database = request.app.state.resources.database
    async with database.read() as connection:
        photo = await repository.photo_by_filename(connection, filename)
        photo = await _visible(connection, photo, filename, principal)
    return await _answer(request, photo)


async def _visible(
    connection: AsyncConnection,
    photo: PhotoRecord | None,
    identifier: object,
    principal: Principal,
) -> PhotoRecord:
    if photo is None or not await may_view_event(connection, principal, photo.event_id):
        raise NotFound("Photo", identifier)
    return photo


async def _answer(request: Request, photo: PhotoRecord) -> ObjectResponse:
    store: ObjectStore = request.app.state.resources.store
    return ObjectResponse(
        request,
        store=store,
        downloads=request.app.state.downloads,
        info=await store.stat(keys.photo_key(photo.event_id, photo.filename)),
        content_type=photo.content_type,
        cache_control=PRIVATE_IMMUTABLE,
        filename=photo.original_filename,
    )

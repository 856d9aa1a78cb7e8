"""Selfies, for their owners, the photographers of their events, and admins."""

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound
from libs.common.resources import Resources
from libs.common.web.auth import CurrentPrincipal, Principal, Role
from libs.common.web.ids import PathId, RowId
from libs.common.web.openapi import problems
from services.media.responses.delivery import Delivery
from services.media.responses.headers import Keeping
from services.media.responses.schemas import files
from services.media.responses.sources import StoredObject
from services.media.selfies import repository

#: A guest may replace or delete a selfie at any time: the browser asks each time, by ETag.
REVALIDATED = Keeping(None)

router = APIRouter(tags=["media"])


@router.get(
    "/api/selfie/{user_id}",
    summary="A guest's selfie",
    operation_id="get_selfie",
    responses=files("The selfie.") | problems(404),
    response_class=Response,
)
@router.head("/api/selfie/{user_id}", include_in_schema=False)
async def selfie(
    request: Request,
    user_id: PathId,
    principal: CurrentPrincipal,
    selfie_id: RowId | None = None,
) -> Response:
    """Serve the newest one, or the one that is named; 404 also for those who may not know of it."""
    resources: Resources = request.app.state.resources
    async with resources.database.read() as connection:
        found = None
        if await _may_see(connection, principal, user_id):
            found = await repository.selfie_of(connection, user_id, selfie_id=selfie_id)
    if found is None:
        raise NotFound("Selfie", user_id)
    info = await resources.store.stat(found.object_key)
    delivery: Delivery = request.app.state.delivery
    return await delivery.answer(
        request.scope,
        StoredObject(resources.store, info),
        content_type=found.content_type,
        keeping=REVALIDATED,
        filename=found.filename,
    )


async def _may_see(connection: AsyncConnection, principal: Principal, user_id: int) -> bool:
    if principal.role is Role.ADMIN or principal.user_id == user_id:
        return True
    return principal.role is Role.PHOTOGRAPHER and await repository.is_guest_of(
        connection, user_id, principal.user_id
    )

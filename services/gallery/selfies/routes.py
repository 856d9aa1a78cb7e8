"""The caller's selfies, and how far their matching is."""

from fastapi import APIRouter, Response

from libs.common.errors import NotFound
from libs.common.web.auth import CurrentPrincipal
from libs.common.web.ids import PathId
from libs.common.web.openapi import problems
from services.gallery.gallery import CurrentGallery
from services.gallery.selfies import repository as selfies
from services.gallery.selfies.changes import delete_own_selfies, delete_selfie
from services.gallery.selfies.repository import SelfieRow
from services.gallery.selfies.rules import rematch_status
from services.gallery.selfies.schemas import MySelfie, RematchStatus, Selfie
from services.gallery.web.answers import View, json_answer
from services.gallery.web.schemas import Message

router = APIRouter(prefix="/api", tags=["selfies"])


@router.get(
    "/my-selfie", operation_id="get_my_selfie", response_model=MySelfie, responses=problems(404)
)
async def my_selfie(principal: CurrentPrincipal, gallery: CurrentGallery) -> Response:
    """When the caller's newest selfie was sent."""
    async with gallery.database.read() as connection:
        found = await selfies.selfies_of(connection, principal.user_id)
    if not found:
        raise NotFound("Selfie", principal.user_id)
    return json_answer({"user_id": principal.user_id, "created_at": found[0].created_at})


@router.delete("/my-selfie", response_model=Message, responses=problems(404))
async def delete_my_selfie(principal: CurrentPrincipal, gallery: CurrentGallery) -> dict[str, str]:
    """Remove all selfies of the caller with their embeddings and matches."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await delete_own_selfies(principal.user_id, unit=unit)
    return {"message": "Your selfie and everything computed from it has been deleted."}


@router.get("/rematch-status", operation_id="get_rematch_status", response_model=RematchStatus)
async def my_rematch_status(principal: CurrentPrincipal, gallery: CurrentGallery) -> Response:
    """How far matching of the caller's selfie is."""
    async with gallery.database.read() as connection:
        joined = await selfies.selfies_in_events(connection, principal.user_id)
    return json_answer(rematch_status(joined))


@router.get("/my-selfies", operation_id="list_my_selfies", response_model=list[Selfie])
async def my_selfies(principal: CurrentPrincipal, gallery: CurrentGallery) -> Response:
    """All selfies of the caller, the newest first."""
    async with gallery.database.read() as connection:
        found = await selfies.selfies_of(connection, principal.user_id)
    return json_answer([_selfie_view(selfie, principal.user_id) for selfie in found])


@router.delete(
    "/my-selfies/{selfie_id}",
    operation_id="delete_one_of_my_selfies",
    response_model=Message,
    responses=problems(404),
)
async def delete_one_selfie(
    selfie_id: PathId, principal: CurrentPrincipal, gallery: CurrentGallery
) -> dict[str, str]:
    """Remove one selfie with its embeddings and matches; what others found stays."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await delete_selfie(principal.user_id, selfie_id, unit=unit)
    return {"message": "This selfie and everything computed from it has been deleted."}


def _selfie_view(selfie: SelfieRow, user_id: int) -> View:
    """Return a selfie; its address asks for the guest's token, as all that shows selfies does."""
    return {
        "id": selfie.id,
        "created_at": selfie.created_at,
        "url": f"/api/selfie/{user_id}?selfie_id={selfie.id}",
    }

"""The caller's selfies, and how far their matching is."""

from fastapi import APIRouter, Response

from libs.common.errors import NotFound
from libs.common.web.auth import CurrentPrincipal
from services.gallery.gallery import CurrentGallery
from services.gallery.matching.rematch_status import rematch_status
from services.gallery.selfies import repository as selfies
from services.gallery.selfies.delete_selfie import delete_selfie
from services.gallery.web.answers import json_answer
from services.gallery.web.fields import PathId
from services.gallery.web.views import selfie_view

router = APIRouter(prefix="/api", tags=["selfies"])


@router.get("/my-selfie")
async def my_selfie(principal: CurrentPrincipal, gallery: CurrentGallery) -> Response:
    """When the caller's newest selfie was sent."""
    async with gallery.database.read() as connection:
        found = await selfies.selfies_of(connection, principal.user_id)
    if not found:
        raise NotFound("Selfie", principal.user_id)
    return json_answer({"user_id": principal.user_id, "created_at": found[0].created_at})


@router.delete("/my-selfie")
async def delete_my_selfie(principal: CurrentPrincipal, gallery: CurrentGallery) -> dict[str, str]:
    """Remove all selfies of the caller with their embeddings and matches."""
    async with gallery.database.unit_of_work() as unit:
        await delete_selfie(principal.user_id, unit=unit)
    return {"message": "Your selfie and everything computed from it has been deleted."}


@router.get("/rematch-status")
async def my_rematch_status(principal: CurrentPrincipal, gallery: CurrentGallery) -> Response:
    """How far matching of the caller's selfie is."""
    async with gallery.database.read() as connection:
        joined = await selfies.selfies_in_events(connection, principal.user_id)
    return json_answer(rematch_status(joined))


@router.get("/my-selfies")
async def my_selfies(principal: CurrentPrincipal, gallery: CurrentGallery) -> Response:
    """All selfies of the caller, the newest first."""
    async with gallery.database.read() as connection:
        found = await selfies.selfies_of(connection, principal.user_id)
    return json_answer([selfie_view(selfie, principal.user_id) for selfie in found])


@router.delete("/my-selfies/{selfie_id}")
async def delete_one_selfie(
    selfie_id: PathId, principal: CurrentPrincipal, gallery: CurrentGallery
) -> dict[str, str]:
    """Remove one selfie with its embeddings and matches; what others found stays."""
    async with gallery.database.unit_of_work() as unit:
        await delete_selfie(principal.user_id, selfie_id=selfie_id, unit=unit)
    return {"message": "This selfie and everything computed from it has been deleted."}

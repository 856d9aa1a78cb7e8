"""The caller's selfies, and how far their matching is."""

from collections.abc import Sequence

from fastapi import APIRouter, Response

from libs.common.errors import NotFound
from libs.common.web.auth import CurrentPrincipal
from libs.common.web.ids import PathId
from services.gallery.gallery import CurrentGallery
from services.gallery.selfies import repository as selfies
from services.gallery.selfies.changes import delete_own_selfies, delete_selfie
from services.gallery.selfies.repository import SelfieInEvent, SelfieRow
from services.gallery.web.answers import View, json_answer

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
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await delete_own_selfies(principal.user_id, unit=unit)
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
    return json_answer([_selfie_view(selfie, principal.user_id) for selfie in found])


@router.delete("/my-selfies/{selfie_id}")
async def delete_one_selfie(
    selfie_id: PathId, principal: CurrentPrincipal, gallery: CurrentGallery
) -> dict[str, str]:
    """Remove one selfie with its embeddings and matches; what others found stays."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await delete_selfie(principal.user_id, selfie_id, unit=unit)
    return {"message": "This selfie and everything computed from it has been deleted."}


def rematch_status(joined: Sequence[SelfieInEvent]) -> dict[str, object]:
    """Return the status as the API answers it; `joined` is empty without selfie or event.

    A selfie that cannot be used is a failure only where no other of the guest's could be.
    """
    if not joined:
        return {"status": "idle"}
    waiting = [one.due_since for one in joined if one.status not in {"done", "failed"}]
    if waiting:
        return {"status": "running", "started_at": min(waiting).timestamp(), "matched": 0}
    finished_at = max(one.finished_at or one.due_since for one in joined).timestamp()
    succeeded = {one.event_id for one in joined if one.status == "done"}
    failed = [one for one in joined if one.event_id not in succeeded]
    if failed:
        error = "; ".join(dict.fromkeys(one.error or "unknown" for one in failed))
        return {"status": "failed", "finished_at": finished_at, "error": error}
    # Each selfie counts the photos of all that were done before it: the last one counts them all.
    matched = sum(
        max(one.matched for one in joined if one.event_id == event_id) for event_id in succeeded
    )
    return {"status": "done", "finished_at": finished_at, "matched": matched}


def _selfie_view(selfie: SelfieRow, user_id: int) -> View:
    """Return a selfie; its address asks for the guest's token, as all that shows selfies does."""
    return {
        "id": selfie.id,
        "created_at": selfie.created_at,
        "url": f"/api/selfie/{user_id}?selfie_id={selfie.id}",
    }

"""Photos as an archive: who wants which gets a link, by which media sends them."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from libs.common.limits.budgets import DOWNLOADS
from libs.common.photo_downloads import Folders, archive_key, download_key
from libs.common.web.auth import CurrentPrincipal, Participant, PhotographerOrAdmin, Principal
from libs.common.web.ids import PathId
from libs.common.web.openapi import Responses, problems
from services.gallery.downloads.rules import Which
from services.gallery.downloads.schemas import DownloadRequest, NewDownload
from services.gallery.downloads.take_along import Asked, Chosen, take_along
from services.gallery.gallery import CurrentGallery, Gallery

router = APIRouter(prefix="/api", tags=["downloads"])
_REFUSALS = problems(400, 404, 410, 429, 503)
_SENT_ELSEWHERE: Responses = {
    303: {"description": "Where the archive is, by a link that is good for hours."}
}


@router.post(
    "/events/{event_id}/downloads",
    operation_id="create_download",
    response_model=NewDownload,
    responses=_REFUSALS,
)
async def create_download(
    event_id: PathId, asked: DownloadRequest, principal: CurrentPrincipal, gallery: CurrentGallery
) -> NewDownload:
    """Get a link to photos as a ZIP archive, which whoever has the link can fetch for a day.

    The link stands for the photos of this moment, so that a download that broke off goes on.
    """
    which = Which.SELECTED if asked.photos is None else Which(asked.photos)
    wanted = Asked(event_id, which, asked.folders, asked.photo_ids or ())
    chosen = await _chosen(wanted, principal, gallery)
    sign = gallery.links.sign_download
    return NewDownload(
        url=sign(archive_key(chosen.id), chosen.expires_at),
        state_url=sign(download_key(chosen.id), chosen.expires_at),
        expires_at=chosen.expires_at,
        photos=chosen.photos,
        left_out=list(chosen.left_out),
    )


@router.get(
    "/events/{event_id}/my-photos.zip",
    operation_id="download_my_photos",
    response_class=RedirectResponse,
    status_code=303,
    responses=_REFUSALS | _SENT_ELSEWHERE,
)
@router.head("/events/{event_id}/my-photos.zip", include_in_schema=False, status_code=303)
async def my_photos_archive(
    event_id: PathId,
    principal: Participant,
    gallery: CurrentGallery,
    folders: Folders = Folders.NONE,
) -> RedirectResponse:
    """The event's photos that show the caller, as a ZIP archive."""
    return await _sent_to(Asked(event_id, Which.MINE, folders), principal, gallery)


@router.get(
    "/events/{event_id}/all-photos.zip",
    operation_id="download_all_photos",
    response_class=RedirectResponse,
    status_code=303,
    responses=_REFUSALS | _SENT_ELSEWHERE,
)
@router.head("/events/{event_id}/all-photos.zip", include_in_schema=False, status_code=303)
async def all_photos_archive(
    event_id: PathId,
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
    folders: Folders = Folders.NONE,
) -> RedirectResponse:
    """All photos of the event as they were uploaded, as a ZIP archive."""
    return await _sent_to(Asked(event_id, Which.ALL, folders), principal, gallery)


async def _sent_to(asked: Asked, principal: Principal, gallery: Gallery) -> RedirectResponse:
    chosen = await _chosen(asked, principal, gallery)
    url = gallery.links.sign_download(archive_key(chosen.id), chosen.expires_at)
    return RedirectResponse(url, status_code=303, headers={"Cache-Control": "no-store"})


async def _chosen(asked: Asked, principal: Principal, gallery: Gallery) -> Chosen:
    await gallery.limiter.spend(DOWNLOADS.of(principal.user_id))
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            chosen = await take_along(asked, principal, unit=unit)
    return chosen

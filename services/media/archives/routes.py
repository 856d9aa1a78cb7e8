"""Archives of photos by their links: whoever has the link has the right, and no token is asked for.

The gallery makes the links. So a phone's own downloads can fetch them, and go on where they broke
off.
"""

import uuid
from typing import Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from libs.common.photo_downloads import archive_key, download_key
from libs.common.resources import Resources
from libs.common.rights.event_ends import EventEnds
from libs.common.storage.protocol import ObjectInfo
from libs.common.web.openapi import problems
from services.media.archives import repository
from services.media.archives.content import Content
from services.media.archives.layout import Layout
from services.media.archives.names import UNNAMED, folder_name
from services.media.archives.preparing import BeingPrepared
from services.media.archives.repository import Download
from services.media.archives.rights import DownloadOver, Right
from services.media.archives.sending import Archives
from services.media.archives.source import ArchiveSource
from services.media.responses.headers import REVALIDATED, ZIP
from services.media.responses.object_response import ObjectResponse
from services.media.responses.schemas import files
from services.media.signed_routes import SIGNATURE, verified_end

#: So long a request that asks how far a download is waits for its copies.
LOOK_SECONDS: Final = 1.0

router = APIRouter(tags=["downloads"])


class DownloadState(BaseModel):
    """How many photos a download has, how many are prepared, and of how many that failed."""

    photos: int
    prepared: int
    #: They are named in a text file of the archive.
    failed: int
    #: Whether the archive is sent at once.
    is_ready: bool


class ArchiveResponse(Response):
    """Sends an archive, or a part of it: found, and laid out, once there is a place for it."""

    def __init__(self, request: Request, download: Download) -> None:
        self.background = None
        self._request = request
        self._download = download

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        archives: Archives = self._request.app.state.archives
        if scope["method"] == "HEAD":
            await self._answer(await archives.described(self._download))(scope, receive, send)
            return
        async with archives.sending(
            self._download, from_start=_is_from_start(self._request)
        ) as layout:
            await self._answer(layout)(scope, receive, send)

    def _answer(self, layout: Layout[Content]) -> ObjectResponse:
        state, download = self._request.app.state, self._download
        resources: Resources = state.resources
        info = ObjectInfo(archive_key(download.id), layout.size_bytes, layout.etag)
        return ObjectResponse(
            self._request.scope,
            source=ArchiveSource(
                info,
                layout,
                resources.store,
                state.renditions,
                resources.database,
                Right(download, layout, resources.database),
                state.archives_ahead,
                state.archives.layouts,
            ),
            downloads=state.downloads,
            content_type=ZIP,
            # The tag decides whether what a client has is still the archive.
            cache_control=REVALIDATED,
            filename=f"{folder_name(download.event_name, UNNAMED)}.zip",
            is_download=True,
            # A client that names no tag believes that nothing has changed since the first time: it
            # has a part by this link, or, where none was sent, by another one.
            sends_parts=download.etag == layout.etag
            or (download.etag is None and _is_from_start(self._request))
            or _names_a_tag(self._request),
        )


@router.get(
    "/api/downloads/{download_id}",
    operation_id="get_download",
    response_model=DownloadState,
    responses=problems(403, 404, 410, 503, 507),
    openapi_extra={"parameters": SIGNATURE},
)
async def download_state(request: Request, download_id: uuid.UUID) -> DownloadState:
    """How far a download is; asked, its photos are prepared."""
    download = await _download(request, download_id, download_key(download_id))
    resources: Resources = request.app.state.resources
    archives: Archives = request.app.state.archives
    is_ready = True
    try:
        await archives.preparations.prepare(download, wait_seconds=LOOK_SECONDS)
    except BeingPrepared:
        is_ready = False
    async with resources.database.read() as connection:
        found = await repository.preparation(connection, download)
    return DownloadState(
        photos=found.photos,
        prepared=found.prepared,
        failed=found.failed,
        is_ready=is_ready and found.prepared == found.photos,
    )


@router.get(
    "/api/downloads/{download_id}/photos.zip",
    summary="Photos as a ZIP archive",
    operation_id="get_download_archive",
    responses=files("The photos.", ZIP) | problems(403, 404, 410, 429, 503, 507),
    response_class=Response,
    openapi_extra={"parameters": SIGNATURE},
)
@router.head("/api/downloads/{download_id}/photos.zip", include_in_schema=False)
async def archive(request: Request, download_id: uuid.UUID) -> ArchiveResponse:
    """Send the photos, or the part of the archive that `Range` asks for.

    The same photos make the same archive, byte by byte, so that a download that broke off goes on;
    `If-Range` with the archive's tag sees to it that they are the same. 503 while photos are being
    prepared. A photo whose file is lost is named in `Not included.txt`, one that cannot be read
    breaks the answer off: it never looks whole without being so.
    """
    download = await _download(request, download_id, archive_key(download_id))
    return ArchiveResponse(request, download)


def _names_a_tag(request: Request) -> bool:
    return "if-range" in request.headers or request.headers.get("if-match", "*").strip() != "*"


def _is_from_start(request: Request) -> bool:
    """Whether the client has nothing yet that an answer could be added to."""
    asked = request.headers.get("range", "bytes=0-").replace(" ", "").lower()
    return asked.startswith("bytes=0-")


async def _download(request: Request, download_id: uuid.UUID, key: str) -> Download:
    """Raises LinkInvalid, LinkExpired, DownloadOver, EventOver, EventErased."""
    resources: Resources = request.app.state.resources
    ends: EventEnds = request.app.state.ends
    verified_end(request, key, ends.now())
    async with resources.database.read() as connection:
        download = await repository.find_download(connection, download_id)
    if download is None:
        raise DownloadOver
    download.event.require_open(download.event_id, runs_event=download.runs_event)
    return download

"""Signed URLs: whoever has the link has the right; no token is asked for."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request

from libs.common.errors import NotFound
from libs.common.resources import Resources
from libs.common.web.signed_urls import LinkInvalid, SignedUrls
from services.media.photos import media_key, repository
from services.media.photos.media_key import Original, Rendition
from services.media.renditions.renditions import WEBP, Renditions
from services.media.responses.object_response import ObjectResponse

#: What a key names never changes, and neither does its URL.
IMMUTABLE = "public, max-age=31536000, immutable"

router = APIRouter(tags=["media"])


@router.get("/api/media/{key:path}", summary="An object by its signed URL")
@router.head("/api/media/{key:path}", include_in_schema=False)
async def signed_object(request: Request, key: str) -> ObjectResponse:
    """Serve a photo or a rendition; 403 for a link that is not valid any more."""
    _verify(request, key)
    match media_key.parse(key):
        case Rendition() as rendition:
            return await _rendition(request, rendition)
        case Original() as original:
            return await _original(request, original)
        case None:
            raise NotFound("Object", key)


def _verify(request: Request, key: str) -> None:
    signed_urls: SignedUrls = request.app.state.signed_urls
    query = request.query_params
    try:
        expires, signature = int(query["e"]), query["s"]
    except (KeyError, ValueError) as error:
        raise LinkInvalid(key) from error
    signed_urls.verify(key, expires, signature, datetime.now(UTC))


async def _rendition(request: Request, rendition: Rendition) -> ObjectResponse:
    """Serve without asking the database: its thumbnails are what a page is made of."""
    renditions: Renditions = request.app.state.renditions
    resources: Resources = request.app.state.resources
    return ObjectResponse(
        request,
        store=resources.store,
        downloads=request.app.state.downloads,
        info=await renditions.ensure(rendition),
        content_type=WEBP,
        cache_control=IMMUTABLE,
    )


async def _original(request: Request, original: Original) -> ObjectResponse:
    resources: Resources = request.app.state.resources
    async with resources.database.read() as connection:
        photo = await repository.photo_by_filename(connection, original.filename)
    if photo is None or photo.event_id != original.event_id:
        raise NotFound("Photo", original.filename)
    return ObjectResponse(
        request,
        store=resources.store,
        downloads=request.app.state.downloads,
        info=await resources.store.stat(original.key),
        content_type=photo.content_type,
        cache_control=IMMUTABLE,
        filename=photo.original_filename,
    )

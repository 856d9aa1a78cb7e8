"""Signed URLs: whoever has the link has the right; no token is asked for."""

from typing import Final

from fastapi import APIRouter, Request, Response

from libs.common.errors import NotFound
from libs.common.images.formats import ImageFormat
from libs.common.rights.event_ends import EventEnds, KnownEnd
from libs.common.storage.protocol import ObjectNotFound
from libs.common.web.at_once import ReadyAnswer, ready
from libs.common.web.ids import PathName
from libs.common.web.openapi import Node, problems
from libs.common.web.signed_urls import KEPT
from services.media.photos import media_key
from services.media.photos.known_photos import KnownPhotos
from services.media.photos.media_key import GuestCopy, Original, Rendition
from services.media.photos.repository import PhotoRecord
from services.media.renditions.guest_copies import guest_answer, original_answer
from services.media.renditions.renditions import Renditions
from services.media.responses.delivery import Delivery
from services.media.responses.headers import Keeping
from services.media.responses.schemas import files
from services.media.signed_links import SignedLinks

#: What follows the key; FastAPI would answer 422 where a link without it is not valid.
SIGNATURE: Final[list[Node]] = [
    {
        "name": name,
        "in": "query",
        "required": True,
        "description": description,
        "schema": schema,
    }
    for name, schema, description in (
        ("e", {"type": "integer"}, "Until when the link is valid, in seconds since 1970."),
        ("s", {"type": "string", "maxLength": 255}, "Its signature."),
    )
]

RENDITION_TYPE: Final = ImageFormat.WEBP.media_type

router = APIRouter(tags=["media"])


def rendition_at_hand(request: Request) -> ReadyAnswer | None:
    """Return the answer with a rendition that is there, by a link that is known to be good.

    Raises LinkInvalid, LinkExpired, NotFound, EventOver, EventErased, and what the store raises.
    """
    key: str = request.path_params["key"]
    ends: EventEnds = request.app.state.ends
    delivery: Delivery = request.app.state.delivery
    wanted = media_key.parse(key.removeprefix(KEPT))
    if not isinstance(wanted, Rendition):
        return None
    event_id = wanted.original.event_id
    now = ends.now()
    link_seconds = verified_end(request, key, now) - now
    end = ends.known(event_id)
    if end is None:
        return None
    seconds = _seconds_left(end, event_id, link_seconds, key, ends)
    return delivery.at_once(
        request.scope, wanted.key, content_type=RENDITION_TYPE, keeping=Keeping(seconds)
    )


@router.get(
    "/api/media/{key:path}",
    summary="An object by its signed URL",
    operation_id="get_signed_object",
    responses=files("An object: a photo, or a rendition of it.") | problems(403, 404, 410, 507),
    response_class=Response,
    openapi_extra={"parameters": SIGNATURE},
)
@router.head("/api/media/{key:path}", include_in_schema=False)
@ready(by=rendition_at_hand)
async def signed_object(request: Request, key: PathName) -> Response:
    """Serve a photo or a rendition; 403 for a link that is not ours, 410 once the event is over."""
    ends: EventEnds = request.app.state.ends
    now = ends.now()
    link_seconds = verified_end(request, key, now) - now
    wanted = media_key.parse(key.removeprefix(KEPT))
    if wanted is None:
        raise NotFound("Object", key)
    original = wanted if isinstance(wanted, Original) else wanted.original
    end = await ends.of(original.event_id)
    if end is None:
        # The database does not tell: what the link says counts alone.
        seconds = link_seconds
    else:
        seconds = _seconds_left(end, original.event_id, link_seconds, key, ends)
    # What a key names never changes; but no browser keeps it for longer than the link is valid.
    keeping = Keeping(seconds)
    if isinstance(wanted, Rendition):
        return await _rendition(request, wanted, keeping)
    answer = guest_answer if isinstance(wanted, GuestCopy) else original_answer
    return await answer(request, await _photo(request, original), keeping=keeping)


def verified_end(request: Request, key: str, now: float) -> int:
    """Return when the link ends. Raises LinkInvalid, LinkExpired."""
    links: SignedLinks = request.app.state.signed_links
    return links.end(key, request.scope["query_string"], now)


def _seconds_left(
    end: KnownEnd, event_id: int, link_seconds: float, key: str, ends: EventEnds
) -> float:
    """Return for how long the object may be seen by this link.

    The event's own end counts, as it may have been moved since the link was made.
    Raises NotFound, EventOver, EventErased.
    """
    is_kept = key.startswith(KEPT)
    if not end.exists:
        raise NotFound("Event", event_id)
    ends.state(end).require_open(event_id, runs_event=is_kept)
    return link_seconds if is_kept else min(link_seconds, ends.seconds_left(end))


async def _rendition(request: Request, rendition: Rendition, keeping: Keeping) -> Response:
    """Serve without asking the database: its thumbnails are what a page is made of."""
    delivery: Delivery = request.app.state.delivery
    try:
        source, file = await delivery.find_small(request.scope, rendition.key)
    except ObjectNotFound:
        renditions: Renditions = request.app.state.renditions
        await renditions.ensure(rendition)
        source, file = await delivery.find_small(request.scope, rendition.key)
    return await delivery.answer(
        request.scope, source, content_type=RENDITION_TYPE, keeping=keeping, file=file
    )


async def _photo(request: Request, original: Original) -> PhotoRecord:
    known_photos: KnownPhotos = request.app.state.known_photos
    photo = await known_photos.of(original.filename)
    if photo is None or photo.event_id != original.event_id:
        raise NotFound("Photo", original.filename)
    return photo

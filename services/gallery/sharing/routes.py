"""How an event is told of: the address of its QR code, and walls for screens at the venue."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from libs.common.limits.budgets import WALL_LOOKS
from libs.common.limits.source import caller_source
from libs.common.web.auth import PhotographerOrAdmin
from libs.common.web.ids import PathId
from libs.common.web.openapi import Responses, problems
from services.gallery.accounts.link_limits import guessing_link
from services.gallery.events.access import require_visible_event
from services.gallery.events.rules import invite_url
from services.gallery.gallery import CurrentGallery, Gallery
from services.gallery.sharing import repository
from services.gallery.sharing.rules import PAGE, Wall
from services.gallery.sharing.schemas import EventInvitation, WallShow, WallView
from services.gallery.sharing.walls import WallNotFound, make_wall, revoke_wall
from services.gallery.web.schemas import Message

router = APIRouter(prefix="/api")
#: Not in the path, which logs have.
Link = Annotated[str, Query(max_length=100)]
#: The screen asks each time whether what it has is still right.
_UNCHANGED: Responses = {304: {"description": "The screen has it all."}}
_HEADERS = {"Cache-Control": "private, no-cache", "Referrer-Policy": "no-referrer"}


@router.get(
    "/photographer/events/{event_id}/invitation",
    tags=["photographers"],
    operation_id="get_event_invitation",
    responses=problems(404, 410),
)
async def invitation(
    event_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> EventInvitation:
    """What the event's QR code says: the address that guests open."""
    async with gallery.database.read() as connection:
        event = await require_visible_event(connection, principal, event_id)
    settings = gallery.settings
    url = invite_url(settings.invite_url, event.event_code, base_url=settings.public_origin or "")
    return EventInvitation(url=url, event_code=event.event_code)


@router.get(
    "/photographer/events/{event_id}/walls",
    tags=["photographers"],
    operation_id="list_walls",
    responses=problems(404, 410),
)
async def walls(
    event_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> list[WallView]:
    """The event's walls with their links, the newest first."""
    async with gallery.database.read() as connection:
        await require_visible_event(connection, principal, event_id)
        found = await repository.walls_of(connection, event_id)
    return [_view(wall, gallery) for wall in found]


@router.post(
    "/photographer/events/{event_id}/walls",
    tags=["photographers"],
    operation_id="create_wall",
    responses=problems(404, 409, 410),
)
async def create(
    event_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> WallView:
    """Make a link for a screen: whoever has it sees what all guests may see, without a login."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            wall = await make_wall(event_id, principal, unit=unit)
    return _view(wall, gallery)


@router.delete(
    "/photographer/events/{event_id}/walls/{wall_id}",
    tags=["photographers"],
    operation_id="revoke_wall",
    responses=problems(404, 410),
)
async def revoke(
    event_id: PathId, wall_id: uuid.UUID, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Message:
    """Take a wall down: its screens end within seconds, and its link opens nothing any more."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await revoke_wall(event_id, wall_id, principal, unit=unit)
    return Message(message="The wall is taken down.")


@router.get(
    "/wall",
    tags=["live"],
    operation_id="get_wall",
    response_model=WallShow,
    responses=_UNCHANGED | problems(404, 410, 429),
)
async def show(
    link: Link,
    gallery: CurrentGallery,
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """What a screen shows at this moment; asked every few seconds, mostly answered by 304."""
    wall_id = gallery.wall_links.wall_id(link)
    if wall_id is None:
        async with guessing_link(gallery.limiter):
            raise WallNotFound
    await gallery.limiter.spend(WALL_LOOKS.of(wall_id, caller_source()))
    found = await gallery.wall_shows.show(wall_id, database=gallery.database)
    headers = _HEADERS | {"ETag": f'W/"{found.tag}"'}
    if found.tag in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type="application/json", headers=headers)


def _view(wall: Wall, gallery: Gallery) -> WallView:
    path = PAGE + gallery.wall_links.link(wall.id)
    return WallView(id=wall.id, path=path, created_at=wall.created_at)

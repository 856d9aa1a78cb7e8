"""Photos that a guest wants to find again."""

from fastapi import APIRouter

from libs.common.web.auth import Participant
from libs.common.web.ids import PathId
from libs.common.web.openapi import problems
from services.gallery.favourites.favourites import add_favourite, remove_favourite
from services.gallery.gallery import CurrentGallery
from services.gallery.web.schemas import Message

router = APIRouter(prefix="/api/my-photos/{photo_id}/favourite", tags=["participants"])


@router.put("", operation_id="add_favourite", responses=problems(404, 409, 410))
async def add(photo_id: PathId, principal: Participant, gallery: CurrentGallery) -> Message:
    """Keep a photo among the caller's favourites; a second time changes nothing."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await add_favourite(photo_id, principal=principal, unit=unit)
    return Message(message="This photo is among your favourites.")


@router.delete("", operation_id="remove_favourite", responses=problems(404))
async def remove(photo_id: PathId, principal: Participant, gallery: CurrentGallery) -> Message:
    """Take a photo out of the caller's favourites; 404 for one that is none of them."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await remove_favourite(photo_id, user_id=principal.user_id, unit=unit)
    return Message(message="This photo is not among your favourites.")

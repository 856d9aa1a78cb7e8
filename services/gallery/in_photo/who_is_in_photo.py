"""Who is in a photo: its faces for a guest, its guests for the photographer."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.database import Database
from libs.common.errors import NotFound
from libs.common.web.auth import Principal, Role
from services.gallery.events.access import require_visible_event
from services.gallery.in_photo import repository as in_photo
from services.gallery.web.answers import View, box_view, percent


@dataclass(frozen=True, slots=True)
class PhotoOfEvent:
    """Which photo is meant; it must be one of this event's."""

    event_id: int
    photo_id: int


async def photo_faces(photo_id: int, *, principal: Principal, database: Database) -> View:
    """Return the photo's size and faces.

    Raises NotFound, also where they may not see it, and EventOver.
    """
    async with database.read() as connection:
        photo = await in_photo.find_photo(connection, photo_id, principal)
        if photo is None:
            raise NotFound("Photo", photo_id)
        photo.event.require_open(photo.event_id, runs_event=principal.role is not Role.PARTICIPANT)
        faces = await in_photo.faces_in_photo(connection, photo, user_id=principal.user_id)
    boxes: list[View] = [
        {
            "top": face.top,
            "left": face.left,
            "width": face.width,
            "height": face.height,
            "matched": face.matched,
            "confidence": face.confidence,
        }
        for face in faces
    ]
    return {"image_width": photo.width, "image_height": photo.height, "boxes": boxes}


async def photo_guests(
    photo: PhotoOfEvent, *, principal: Principal, database: Database
) -> list[View]:
    """Return who is in the photo, the most alike first. Raises NotFound, also for others'."""
    async with database.read() as connection:
        await require_photo(connection, photo, principal)
        guests = await in_photo.guests_in_photo(connection, photo.event_id, photo.photo_id)
        pairs = [(guest.user_id, photo.photo_id) for guest in guests]
        boxes = await in_photo.best_faces(connection, photo.event_id, pairs)
    return [
        {
            "user_id": guest.user_id,
            "username": guest.username,
            "similarity": None if guest.similarity is None else percent(guest.similarity),
            "box": box_view(boxes.get((guest.user_id, photo.photo_id))),
            "added_by_hand": guest.is_added and not guest.is_confirmed,
            "confirmed_by_guest": guest.is_confirmed,
        }
        for guest in guests
    ]


async def require_photo(
    connection: AsyncConnection, photo: PhotoOfEvent, principal: Principal
) -> None:
    """Raises NotFound unless the photo is of the event, and the event one that they may see."""
    await require_visible_event(connection, principal, photo.event_id)
    found = await in_photo.find_photo(connection, photo.photo_id, principal)
    if found is None or found.event_id != photo.event_id:
        raise NotFound("Photo", photo.photo_id)

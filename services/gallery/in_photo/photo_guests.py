"""Who is in a photo, for its photographer, who may add guests by hand and take them out again."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.database import Database, UnitOfWork
from libs.common.errors import Conflict, NotFound
from libs.common.messaging.messages import MatchChanged
from libs.common.web.tokens import Principal
from services.gallery.events.access import require_visible_event
from services.gallery.in_photo import match_overrides
from services.gallery.in_photo import photo_guests_repository as photo_guests
from services.gallery.in_photo.best_faces import best_faces
from services.gallery.in_photo.match_overrides import GuestAndPhoto
from services.gallery.web.views import View, box_view, percent


@dataclass(frozen=True, slots=True)
class PhotoOfEvent:
    """Which photo is meant; it must be one of this event's."""

    event_id: int
    photo_id: int


async def guests_in_photo(
    photo: PhotoOfEvent, *, principal: Principal, database: Database
) -> list[View]:
    """Return who is in the photo, the most alike first. Raises NotFound, also for others'."""
    async with database.read() as connection:
        await _require_photo(connection, photo, principal)
        guests = await photo_guests.guests_in_photo(connection, photo.event_id, photo.photo_id)
        pairs = [(guest.user_id, photo.photo_id) for guest in guests]
        boxes = await best_faces(connection, photo.event_id, pairs)
    return [
        {
            "user_id": guest.user_id,
            "username": guest.username,
            "similarity": None if guest.similarity is None else percent(guest.similarity),
            "box": box_view(boxes.get((guest.user_id, photo.photo_id))),
            "added_by_hand": guest.is_added and not guest.said_so_themselves,
            "confirmed_by_guest": guest.said_so_themselves,
        }
        for guest in guests
    ]


async def add_guest(
    photo: PhotoOfEvent, user_id: int, *, principal: Principal, unit: UnitOfWork
) -> None:
    """Show the photo to a guest whom no match found; a second time changes nothing.

    Raises NotFound, and Conflict when the guest said that it is not them.
    """
    of = await _guest_and_photo(photo, user_id, principal=principal, unit=unit)
    addition = await match_overrides.add(unit.connection, of, added_by=principal.user_id)
    if addition.is_denied:
        msg = "The guest has said that this photo does not show them. Only they can take it back."
        raise Conflict(msg)
    if addition.is_new:
        _tell(of, unit)


async def take_guest_out(
    photo: PhotoOfEvent, user_id: int, *, principal: Principal, unit: UnitOfWork
) -> None:
    """Take back what was added by hand; a match stays.

    Raises NotFound when nobody was added, and Conflict when the guest said so themselves.
    """
    of = await _guest_and_photo(photo, user_id, principal=principal, unit=unit)
    if await match_overrides.take_back(unit.connection, of):
        _tell(of, unit)
    elif await match_overrides.said_so_themselves(unit.connection, of):
        msg = "The guest has said themselves that the photo shows them. Only they can take it back."
        raise Conflict(msg)
    else:
        raise NotFound("Guest added by hand", user_id)


async def _guest_and_photo(
    photo: PhotoOfEvent, user_id: int, *, principal: Principal, unit: UnitOfWork
) -> GuestAndPhoto:
    await _require_photo(unit.connection, photo, principal)
    found = await match_overrides.lock_guest_and_photo(
        unit.connection, user_id=user_id, photo_id=photo.photo_id
    )
    if found is None:
        raise NotFound("Guest", user_id)
    return found


async def _require_photo(
    connection: AsyncConnection, photo: PhotoOfEvent, principal: Principal
) -> None:
    await require_visible_event(connection, principal, photo.event_id)
    if await photo_guests.event_of_photo(connection, photo.photo_id) != photo.event_id:
        raise NotFound("Photo", photo.photo_id)


def _tell(of: GuestAndPhoto, unit: UnitOfWork) -> None:
    unit.publish(MatchChanged(event_id=of.event_id, photo_id=of.photo_id, user_ids=(of.user_id,)))

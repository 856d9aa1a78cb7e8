"""A guest says "not me" or "it's me" of a photo; it counts more than what was matched, for ever."""

from libs.common.database.database import UnitOfWork
from libs.common.errors import Conflict, NotFound
from libs.common.messaging.messages import MatchChanged
from services.gallery.in_photo import match_overrides
from services.gallery.in_photo.match_overrides import GuestAndPhoto


class NobodyLikeThem(Conflict):
    """No face of the photo is like the guest, and nobody has added them."""

    def __init__(self, photo_id: int) -> None:
        super().__init__(
            "No face in this photo is like your selfie. Ask the photographer to add you to it."
        )
        self.photo_id = photo_id


async def say_not_me(photo_id: int, *, user_id: int, unit: UnitOfWork) -> None:
    """Never show the guest in the photo again. Raises NotFound, also for others' events."""
    of = await _guest_and_photo(photo_id, user_id=user_id, unit=unit)
    if await match_overrides.deny(unit.connection, of):
        _tell(of, unit)


async def undo_not_me(photo_id: int, *, user_id: int, unit: UnitOfWork) -> None:
    """Let count again what was matched or added before. Raises NotFound."""
    of = await _guest_and_photo(photo_id, user_id=user_id, unit=unit)
    if await match_overrides.undo_denial(unit.connection, of):
        _tell(of, unit)


async def say_its_me(photo_id: int, *, user_id: int, unit: UnitOfWork) -> None:
    """Confirm a photo that was found or nearly found. Raises NotFound, NobodyLikeThem."""
    of = await _guest_and_photo(photo_id, user_id=user_id, unit=unit)
    if not await match_overrides.may_be_in_photo(unit.connection, of):
        raise NobodyLikeThem(photo_id)
    if await match_overrides.confirm(unit.connection, of):
        _tell(of, unit)


async def _guest_and_photo(photo_id: int, *, user_id: int, unit: UnitOfWork) -> GuestAndPhoto:
    found = await match_overrides.lock_guest_and_photo(
        unit.connection, user_id=user_id, photo_id=photo_id
    )
    if found is None:
        raise NotFound("Photo", photo_id)
    return found


def _tell(of: GuestAndPhoto, unit: UnitOfWork) -> None:
    unit.publish(MatchChanged(event_id=of.event_id, photo_id=of.photo_id, user_ids=(of.user_id,)))

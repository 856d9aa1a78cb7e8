"""People say who is in a photo; that counts more than what was matched, for ever.

Guests say "not me" or "it's me" of themselves; a photographer adds a guest whom no match found, or
says that a guest who was found is somebody else.
"""

from collections.abc import Sequence

from libs.common.database.audit import Action, record
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import Conflict, NotAuthenticated, NotFound
from libs.common.messaging.messages import MatchChanged
from libs.common.web.auth import Principal
from services.gallery.in_photo import verdicts_repository as overrides
from services.gallery.in_photo.verdicts_repository import Additions, GuestAndPhoto
from services.gallery.in_photo.who_is_in_photo import PhotoOfEvent, require_photo


class NobodyLikeThem(Conflict):
    """No face of the photo is like the guest, and nobody has added them."""

    def __init__(self, photo_id: int) -> None:
        super().__init__(
            "No face in this photo is like your selfie. Ask the photographer to add you to it."
        )
        self.photo_id = photo_id


class GuestSaidSo(Conflict):
    """The guest confirmed the photo, and nobody else's word goes before theirs."""

    def __init__(self) -> None:
        super().__init__(
            "The guest has said themselves that the photo shows them. Only they can take it back."
        )


async def say_not_me(photo_id: int, *, user_id: int, unit: UnitOfWork) -> None:
    """Never show the guest in the photo again. Raises NotFound, also for what they cannot see."""
    of = await _own_photo(photo_id, user_id, unit)
    if await overrides.deny(unit.connection, of):
        _publish_change(of, unit)


async def undo_not_me(photo_id: int, *, user_id: int, unit: UnitOfWork) -> None:
    """Let count again what was matched or added before. Raises NotFound."""
    of = await _own_photo(photo_id, user_id, unit)
    if await overrides.undo_denial(unit.connection, of):
        _publish_change(of, unit)


async def say_its_me(photo_id: int, *, user_id: int, unit: UnitOfWork) -> None:
    """Confirm a photo that was found or nearly found. Raises NotFound, NobodyLikeThem."""
    of = await _own_photo(photo_id, user_id, unit)
    if not await overrides.may_be_in_photo(unit.connection, of):
        raise NobodyLikeThem(photo_id)
    if await overrides.confirm(unit.connection, of):
        _publish_change(of, unit)


async def add_guest(
    photo: PhotoOfEvent, user_id: int, *, principal: Principal, unit: UnitOfWork
) -> None:
    """Show the photo to a guest whom no match found; a second time changes nothing.

    Raises NotFound, and Conflict when the guest said that it is not them.
    """
    of = await _guest_and_photo(photo, user_id, principal, unit)
    await _lock_adder(principal, unit)
    addition = await overrides.add(unit.connection, of, added_by=principal.user_id)
    if addition.is_denied:
        msg = "The guest has said that this photo does not show them. Only they can take it back."
        raise Conflict(msg)
    if addition.is_new:
        await record(
            unit.connection,
            Action.GUEST_ADDED,
            actor_id=principal.user_id,
            account_id=user_id,
            event_id=of.event_id,
            object_id=of.photo_id,
        )
        _publish_change(of, unit)


async def add_guest_to_photos(
    event_id: int,
    photo_ids: Sequence[int],
    user_id: int,
    *,
    principal: Principal,
    unit: UnitOfWork,
) -> Additions:
    """Show the guest all these photos of the event, but those that they denied.

    Raises NotFound unless the guest has joined the event.
    """
    if not await overrides.lock_guest(unit.connection, user_id, event_id):
        raise NotFound("Guest", user_id)
    await _lock_adder(principal, unit)
    additions = await overrides.add_to_photos(
        unit.connection, user_id, event_id, photo_ids, added_by=principal.user_id
    )
    if additions.new:
        await record(
            unit.connection,
            Action.GUEST_ADDED,
            actor_id=principal.user_id,
            account_id=user_id,
            event_id=event_id,
            details={"photos": additions.new},
        )
        unit.publish(MatchChanged(event_id=event_id, user_ids=(user_id,)))
    return additions


async def take_guest_out(
    photo: PhotoOfEvent, user_id: int, *, principal: Principal, unit: UnitOfWork
) -> None:
    """Take back what was added by hand; a match stays.

    Raises NotFound when nobody was added, and Conflict when the guest confirmed it themselves.
    """
    of = await _guest_and_photo(photo, user_id, principal, unit)
    if await overrides.take_back(unit.connection, of):
        _publish_change(of, unit)
    elif await overrides.is_confirmed(unit.connection, of):
        raise GuestSaidSo
    else:
        raise NotFound("Guest added by hand", user_id)


async def say_not_them(
    photo: PhotoOfEvent, user_id: int, *, principal: Principal, unit: UnitOfWork
) -> None:
    """Show the photo to the guest no longer as one of theirs; a second time changes nothing.

    Raises NotFound, and Conflict when the guest said themselves that it shows them.
    """
    of = await _guest_and_photo(photo, user_id, principal, unit)
    if await overrides.exclude(unit.connection, of):
        await record(
            unit.connection,
            Action.GUEST_EXCLUDED,
            actor_id=principal.user_id,
            account_id=user_id,
            event_id=of.event_id,
            object_id=of.photo_id,
        )
        _publish_change(of, unit)
    elif await overrides.is_confirmed(unit.connection, of):
        raise GuestSaidSo


async def undo_not_them(
    photo: PhotoOfEvent, user_id: int, *, principal: Principal, unit: UnitOfWork
) -> None:
    """Let count again what was matched. Raises NotFound."""
    of = await _guest_and_photo(photo, user_id, principal, unit)
    if await overrides.take_back_exclusion(unit.connection, of):
        _publish_change(of, unit)


async def _own_photo(photo_id: int, user_id: int, unit: UnitOfWork) -> GuestAndPhoto:
    found = await overrides.lock_own_photo(unit.connection, user_id=user_id, photo_id=photo_id)
    if found is None:
        raise NotFound("Photo", photo_id)
    return found


async def _guest_and_photo(
    photo: PhotoOfEvent, user_id: int, principal: Principal, unit: UnitOfWork
) -> GuestAndPhoto:
    await require_photo(unit.connection, photo, principal)
    found = await overrides.lock_guest_and_photo(
        unit.connection, user_id=user_id, photo_id=photo.photo_id
    )
    if found is None:
        raise NotFound("Guest", user_id)
    return found


async def _lock_adder(principal: Principal, unit: UnitOfWork) -> None:
    """A token outlives its account; what an account added refers to it."""
    if not await overrides.lock_adder(unit.connection, principal.user_id):
        msg = "This account is gone."
        raise NotAuthenticated(msg)


def _publish_change(of: GuestAndPhoto, unit: UnitOfWork) -> None:
    unit.publish(MatchChanged(event_id=of.event_id, photo_id=of.photo_id, user_ids=(of.user_id,)))

"""A guest keeps photos of an event that they want to find again; nobody else is told."""

from typing import Final

from libs.common.database.transactions import UnitOfWork
from libs.common.errors import Conflict, NotFound
from libs.common.web.auth import Principal
from services.gallery.favourites import repository

#: Of one guest and event: what can be listed at once.
MAX_FAVOURITES: Final = 1000


async def add_favourite(photo_id: int, *, principal: Principal, unit: UnitOfWork) -> None:
    """Keep a photo that the guest may see.

    Raises NotFound, EventOver, and Conflict where they have as many as can be listed.
    """
    found = await repository.lock_seen_photo(unit.connection, photo_id, principal)
    if found is None:
        raise NotFound("Photo", photo_id)
    event_id, state = found
    state.require_open(event_id, runs_event=False)
    if await repository.count(unit.connection, principal.user_id, event_id) >= MAX_FAVOURITES:
        msg = f"You have {MAX_FAVOURITES} favourites here, which is all that can be kept."
        raise Conflict(msg)
    await repository.add(unit.connection, principal.user_id, photo_id)


async def remove_favourite(photo_id: int, *, user_id: int, unit: UnitOfWork) -> None:
    """Keep the photo no longer, whether the guest may see it still or not.

    Raises NotFound for one that is none of theirs.
    """
    if not await repository.remove(unit.connection, user_id, photo_id):
        raise NotFound("Favourite", photo_id)

"""A photographer shows, hides or deletes photos of their events; others' ids are skipped."""

from collections.abc import Sequence

from libs.common.database.transactions import UnitOfWork
from libs.common.errors import InvalidInput, NotFound
from libs.common.messaging.messages import PhotoDeleted, PhotoVisibilityChanged
from services.gallery.photos import repository as photos

MAX_PHOTOS_AT_ONCE = 5000


async def show_photos(
    photo_ids: Sequence[int], *, owner_id: int, show: bool | None, unit: UnitOfWork
) -> int:
    """Return how many were changed. Raises InvalidInput without ids, NotFound if none is owned."""
    _check(photo_ids)
    changed = await photos.show_photos(unit.connection, owner_id, photo_ids, show=show)
    if not changed:
        raise NotFound("Photo", photo_ids[0])
    for photo_id, event_id in changed:
        unit.publish(PhotoVisibilityChanged(event_id=event_id, photo_id=photo_id))
    return len(changed)


async def delete_photos(photo_ids: Sequence[int], *, owner_id: int, unit: UnitOfWork) -> int:
    """Return how many were deleted. Raises InvalidInput without ids, NotFound if none is owned."""
    _check(photo_ids)
    deleted = await photos.delete_photos(unit.connection, owner_id, photo_ids)
    if not deleted:
        raise NotFound("Photo", photo_ids[0])
    for photo_id, event_id, filename in deleted:
        unit.publish(PhotoDeleted(event_id=event_id, photo_id=photo_id, filename=filename))
    return len(deleted)


def _check(photo_ids: Sequence[int]) -> None:
    if not photo_ids:
        msg = "Name at least one photo."
        raise InvalidInput(msg)
    if len(photo_ids) > MAX_PHOTOS_AT_ONCE:
        msg = f"At most {MAX_PHOTOS_AT_ONCE} photos can be changed at once."
        raise InvalidInput(msg)

"""A photographer shows, hides, deletes or retries photos of their events; others' are skipped."""

from collections.abc import Sequence

from libs.common.database.audit import Action, first_ids, record
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import InvalidInput, NotFound
from libs.common.messaging.messages import PhotoDeleted, PhotoUploaded, PhotoVisibilityChanged
from libs.common.rights.photos import photos_shown_to_all
from libs.common.web.auth import Principal
from services.gallery.cameras.clocks import forget_cameras
from services.gallery.events.access import require_visible_event
from services.gallery.photos import repository as photos
from services.gallery.settings import DELETE_AGAIN_SECONDS

MAX_PHOTOS_AT_ONCE = 5000
#: So many that are analysed again do not wait behind other events' uploads in bulk.
PHOTOS_AHEAD = 24


async def show_photos(
    photo_ids: Sequence[int], *, owner_id: int, show: bool | None, unit: UnitOfWork
) -> int:
    """Return how many were changed. Raises InvalidInput without ids, NotFound if none is owned."""
    _check(photo_ids)
    seen = await photos_shown_to_all(unit.connection, photo_ids)
    changed = await photos.show_photos(unit.connection, owner_id, photo_ids, show=show)
    if not changed:
        raise NotFound("Photo", photo_ids[0])
    seen |= await photos_shown_to_all(unit.connection, [photo_id for photo_id, _ in changed])
    for photo_id, event_id in changed:
        unit.publish(
            PhotoVisibilityChanged(
                event_id=event_id, photo_id=photo_id, seen_by_all=photo_id in seen
            )
        )
    return len(changed)


async def delete_photos(photo_ids: Sequence[int], *, owner_id: int, unit: UnitOfWork) -> int:
    """Return how many were deleted. Raises InvalidInput without ids, NotFound if none is owned."""
    _check(photo_ids)
    seen = await photos_shown_to_all(unit.connection, photo_ids)
    guests = await photos.guests_of_owned(unit.connection, owner_id, photo_ids)
    deleted = await photos.delete_photos(unit.connection, owner_id, photo_ids)
    if not deleted:
        raise NotFound("Photo", photo_ids[0])
    used = {photo.camera_id for photo in deleted if photo.camera_id is not None}
    await forget_cameras(used, unit=unit)
    for event_id in sorted({photo.event_id for photo in deleted}):
        of_event = [photo.id for photo in deleted if photo.event_id == event_id]
        await record(
            unit.connection,
            Action.PHOTO_DELETED,
            actor_id=owner_id,
            event_id=event_id,
            details={"photos": len(of_event), "ids": first_ids(of_event)},
        )
    for photo in deleted:
        gone = PhotoDeleted(event_id=photo.event_id, photo_id=photo.id, filename=photo.filename)
        unit.publish(
            gone.model_copy(
                update={
                    "seen_by_all": photo.id in seen,
                    "user_ids": tuple(guests.get(photo.id, ())),
                }
            )
        )
        # For a thumbnail that was on its way to the store when whoever made it was killed.
        unit.publish_later(gone, seconds=DELETE_AGAIN_SECONDS)
    return len(deleted)


async def analyse_again(
    event_id: int, photo_ids: Sequence[int] | None, *, principal: Principal, unit: UnitOfWork
) -> int:
    """Have failed photos of an event analysed once more, all or those named; return how many.

    Of those named that did not fail nothing is done. Raises NotFound, also for others' events,
    EventOver, and InvalidInput for too many.
    """
    if photo_ids is not None:
        _check(photo_ids)
    event = await require_visible_event(unit.connection, principal, event_id)
    # Nothing is analysed in an event that is over.
    event.state.require_open(event_id, runs_event=False)
    queued = await photos.queue_failed_photos(
        unit.connection, event_id, photo_ids, limit=MAX_PHOTOS_AT_ONCE
    )
    for place, photo_id in enumerate(queued):
        unit.publish(
            PhotoUploaded(event_id=event_id, photo_id=photo_id, in_bulk=place >= PHOTOS_AHEAD)
        )
    return len(queued)


def _check(photo_ids: Sequence[int]) -> None:
    if not photo_ids:
        msg = "Name at least one photo."
        raise InvalidInput(msg)
    if len(photo_ids) > MAX_PHOTOS_AT_ONCE:
        msg = f"At most {MAX_PHOTOS_AT_ONCE} photos can be changed at once."
        raise InvalidInput(msg)

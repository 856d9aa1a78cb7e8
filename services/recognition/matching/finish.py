"""Mark what has been matched as done, and tell the guests."""

from collections.abc import Sequence
from datetime import UTC, datetime

from libs.common.database.database import UnitOfWork
from libs.common.messaging.messages import PhotoMatched, SelfieMatched
from libs.common.telemetry import tracing
from services.recognition import metrics
from services.recognition.matching import repository as stored_matches
from services.recognition.photos import repository
from services.recognition.photos.repository import PhotoRow
from services.recognition.selfies import repository as selfie_repository


async def finish_photos(photos: Sequence[PhotoRow], *, unit: UnitOfWork) -> None:
    """Mark an event's photos done; a second time changes nothing but tells everybody again."""
    if not photos:
        return
    event_id, photo_ids = photos[0].event_id, [photo.id for photo in photos]
    lost: dict[int, set[int]] = {}
    if known := [photo.id for photo in photos if photo.is_known]:
        lost = await stored_matches.delete_outdated(unit.connection, event_id, photo_ids=known)
    guests = await stored_matches.guests_in_photos(unit.connection, event_id, photo_ids)
    await repository.mark_photos_done(unit.connection, photo_ids)
    now = datetime.now(UTC)
    for photo in photos:
        users = tuple(sorted(guests.get(photo.id, set()) | lost.get(photo.id, set())))
        # Photos that are matched together have a trace each.
        with tracing.joined("match", photo.traceparent):
            tracing.set_attributes(event_id=photo.event_id, photo_id=photo.id, matches=len(users))
            unit.publish(
                PhotoMatched(
                    event_id=photo.event_id,
                    photo_id=photo.id,
                    user_ids=users,
                    is_first_match=not photo.is_known,
                )
            )
        if not photo.is_known:
            metrics.MATCH_LATENCY.observe((now - photo.uploaded_at).total_seconds())
    metrics.MATCHES.inc(sum(map(len, guests.values())))


async def finish_selfies(event_id: int, selfie_ids: Sequence[int], *, unit: UnitOfWork) -> None:
    """Mark the selfies done, with what they are matched with; those that are gone are left out."""
    if not selfie_ids:
        return
    await stored_matches.delete_outdated(unit.connection, event_id, selfie_ids=selfie_ids)
    for done in await selfie_repository.finish_selfies(unit.connection, event_id, selfie_ids):
        unit.publish(
            SelfieMatched(
                event_id=event_id,
                user_id=done.user_id,
                selfie_id=done.selfie_id,
                matched=done.matched,
            )
        )

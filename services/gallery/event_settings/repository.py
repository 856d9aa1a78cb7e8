"""What an event's pages look like, and which of its photos is their cover."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, photos
from services.gallery.event_settings.rules import Cover, EventLook


async def find_look(connection: AsyncConnection, event_id: int) -> tuple[EventLook, bool] | None:
    """Return the event's look, and whether guests see only what was chosen; None without one."""
    row = (
        await connection.execute(
            select(
                events.c.accent,
                events.c.consent_text,
                events.c.cover_photo_id,
                photos.c.filename,
                events.c.selected_only,
            )
            .outerjoin(photos, photos.c.id == events.c.cover_photo_id)
            .where(events.c.id == event_id)
        )
    ).one_or_none()
    if row is None:
        return None
    cover = Cover(row.cover_photo_id, row.filename) if row.filename else None
    return EventLook(row.accent, row.consent_text, cover), row.selected_only


async def lock_photo(connection: AsyncConnection, event_id: int, photo_id: int) -> bool:
    """Keep a photo of the event from being deleted; False when there is none."""
    found = await connection.scalar(
        select(photos.c.id)
        .where(photos.c.id == photo_id, photos.c.event_id == event_id)
        .with_for_update(read=True, key_share=True)
    )
    return found is not None

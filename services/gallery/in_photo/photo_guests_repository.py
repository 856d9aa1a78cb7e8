"""Who is in a photo, and who is a guest of an event at all."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import match_overrides, memberships, photos, selfies, users
from libs.common.rights.guest_photos import ADDED, guest_photos


@dataclass(frozen=True, slots=True)
class GuestInPhoto:
    """How alike the best face is, None where none is; who added the guest, and whether any."""

    user_id: int
    username: str
    similarity: float | None
    is_added: bool
    added_by: int | None

    @property
    def said_so_themselves(self) -> bool:
        """The guest confirmed it."""
        return self.is_added and self.added_by == self.user_id


@dataclass(frozen=True, slots=True)
class GuestOfEvent:
    """Somebody who joined the event."""

    user_id: int
    username: str
    joined_at: datetime
    has_selfie: bool


async def event_of_photo(connection: AsyncConnection, photo_id: int) -> int | None:
    """Return the photo's event, None when there is no such photo."""
    event_id: int | None = await connection.scalar(
        select(photos.c.event_id).where(photos.c.id == photo_id)
    )
    return event_id


async def guests_in_photo(
    connection: AsyncConnection, event_id: int, photo_id: int
) -> list[GuestInPhoto]:
    """Return who is in the photo, the most alike first."""
    shown = guest_photos(event_id, photo_ids=[photo_id])
    similarity = func.max(shown.c.similarity)
    # Of one who is in it, what was said cannot be a denial.
    added = match_overrides.c.verdict == ADDED
    rows = await connection.execute(
        select(
            shown.c.user_id,
            users.c.username,
            similarity.label("similarity"),
            func.coalesce(func.bool_or(added), False).label("is_added"),
            func.max(match_overrides.c.added_by).label("added_by"),
        )
        .join(users, users.c.id == shown.c.user_id)
        .outerjoin(
            match_overrides,
            and_(
                match_overrides.c.user_id == shown.c.user_id,
                match_overrides.c.event_id == event_id,
                match_overrides.c.photo_id == shown.c.photo_id,
            ),
        )
        .group_by(shown.c.user_id, users.c.username)
        .order_by(similarity.desc().nulls_last(), users.c.username)
    )
    return [GuestInPhoto(**row._asdict()) for row in rows]


async def guests_of_event(connection: AsyncConnection, event_id: int) -> list[GuestOfEvent]:
    """Return everybody who joined the event, by name."""
    rows = await connection.execute(
        select(
            memberships.c.user_id,
            users.c.username,
            memberships.c.joined_at,
            exists().where(selfies.c.user_id == memberships.c.user_id).label("has_selfie"),
        )
        .join(users, users.c.id == memberships.c.user_id)
        .where(memberships.c.event_id == event_id)
        .order_by(users.c.username)
    )
    return [GuestOfEvent(**row._asdict()) for row in rows]

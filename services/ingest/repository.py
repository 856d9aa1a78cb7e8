"""All SQL of ingest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound
from libs.common.tables import (
    matches,
    memberships,
    photos,
    selfie_indexes,
    selfies,
    upload_digests,
    users,
)

#: The same bytes within this time are the same upload, sent again.
DUPLICATE_WINDOW = timedelta(minutes=5)
_EVENT_KEY = "photos_event_id_fkey"


@dataclass(frozen=True, slots=True)
class NewPhoto:
    """A photo's row as ingest makes it."""

    event_id: int
    filename: str
    original_filename: str
    content_type: str
    photographer_id: int
    sha256: bytes
    crc32: int
    size_bytes: int
    width: int
    height: int
    taken_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A photo that is there already."""

    id: int
    filename: str


@dataclass(frozen=True, slots=True)
class NewSelfie:
    """A selfie's row as ingest makes it."""

    user_id: int
    filename: str
    object_key: str
    content_type: str
    sha256: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class OldSelfie:
    """A selfie that was removed, and the events that had indexed it."""

    id: int
    object_key: str
    event_ids: tuple[int, ...]


async def find_recent_upload(
    connection: AsyncConnection, event_id: int, sha256: bytes
) -> StoredPhoto | None:
    """Return the photo that the same bytes made within the window."""
    row = (
        await connection.execute(
            select(photos.c.id, photos.c.filename)
            .join(upload_digests, upload_digests.c.photo_id == photos.c.id)
            .where(
                upload_digests.c.event_id == event_id,
                upload_digests.c.sha256 == sha256,
                upload_digests.c.uploaded_at >= func.now() - DUPLICATE_WINDOW,
            )
        )
    ).one_or_none()
    return None if row is None else StoredPhoto(row.id, row.filename)


async def add_photo(connection: AsyncConnection, photo: NewPhoto) -> int:
    """Insert the row and return its id. Raises NotFound when the event is gone."""
    try:
        photo_id: int = (
            await connection.execute(
                insert(photos)
                .values({column: getattr(photo, column) for column in photo.__slots__})
                .returning(photos.c.id)
            )
        ).scalar_one()
    except IntegrityError as error:
        if _EVENT_KEY in str(error.orig):
            raise NotFound("Event", photo.event_id) from error
        raise
    return photo_id


async def claim_digest(
    connection: AsyncConnection, event_id: int, sha256: bytes, photo_id: int
) -> bool:
    """Make these bytes the photo's for the window; False when another photo has them.

    Of two transactions that claim at once the second waits for the first one's commit.
    """
    claim = upsert(upload_digests).values(event_id=event_id, sha256=sha256, photo_id=photo_id)
    claimed = await connection.scalar(
        claim.on_conflict_do_update(
            index_elements=[upload_digests.c.event_id, upload_digests.c.sha256],
            set_={"photo_id": claim.excluded.photo_id, "uploaded_at": func.now()},
            where=upload_digests.c.uploaded_at < func.now() - DUPLICATE_WINDOW,
        ).returning(upload_digests.c.photo_id)
    )
    return claimed is not None


async def lock_user(connection: AsyncConnection, user_id: int) -> bool:
    """Let one transaction at a time change what belongs to the user; False if there is none."""
    found = await connection.scalar(
        select(users.c.id).where(users.c.id == user_id).with_for_update()
    )
    return found is not None


async def joined_event_ids(connection: AsyncConnection, user_id: int) -> list[int]:
    """The events that the user has joined."""
    rows = await connection.execute(
        select(memberships.c.event_id)
        .where(memberships.c.user_id == user_id)
        .order_by(memberships.c.event_id)
    )
    return [row.event_id for row in rows]


async def remove_selfies(
    connection: AsyncConnection, user_id: int
) -> tuple[Sequence[OldSelfie], int]:
    """Delete the user's selfies, with their embeddings and matches (by cascade).

    Returns the selfies, and how many matches went with them.
    """
    events_of = (
        select(func.array_agg(selfie_indexes.c.event_id))
        .where(selfie_indexes.c.selfie_id == selfies.c.id)
        .scalar_subquery()
    )
    rows = await connection.execute(
        select(selfies.c.id, selfies.c.object_key, events_of.label("event_ids")).where(
            selfies.c.user_id == user_id
        )
    )
    old = [OldSelfie(row.id, row.object_key, tuple(row.event_ids or ())) for row in rows]
    ids = [selfie.id for selfie in old]
    matched = await connection.scalar(
        select(func.count()).select_from(matches).where(matches.c.selfie_id.in_(ids))
    )
    await connection.execute(delete(selfies).where(selfies.c.id.in_(ids)))
    return old, int(matched or 0)


async def add_selfie(connection: AsyncConnection, selfie: NewSelfie) -> int:
    """Insert the row and return its id."""
    selfie_id: int = (
        await connection.execute(
            insert(selfies)
            .values({column: getattr(selfie, column) for column in selfie.__slots__})
            .returning(selfies.c.id)
        )
    ).scalar_one()
    return selfie_id

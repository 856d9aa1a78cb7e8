"""SQL of photos that are uploaded, and of what makes one upload of those sent twice."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import (
    photos,
    upload_digests,
)
from libs.common.errors import AccountGone, NotFound

#: The same bytes within this time are the same upload, sent again.
DUPLICATE_WINDOW = timedelta(minutes=5)
#: Ends the names of both tables' references to the event.
_EVENT_KEY = "_event_id_fkey"
_PHOTOGRAPHER_KEY = "photos_photographer_id_fkey"
_FILENAME_KEY = "photos_filename_key"


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
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A photo that is there already."""

    id: int
    filename: str


# Built once: for a photo's few statements, building them anew costs as much as running them.
_RECENT_UPLOAD = (
    select(photos.c.id, photos.c.filename)
    .join(upload_digests, upload_digests.c.photo_id == photos.c.id)
    .where(
        upload_digests.c.event_id == bindparam("event_id"),
        upload_digests.c.sha256 == bindparam("sha256"),
        upload_digests.c.uploaded_at >= func.now() - DUPLICATE_WINDOW,
    )
)
_PHOTO_COLUMNS = tuple(field.name for field in fields(NewPhoto))
_NEW_PHOTO = (
    insert(photos)
    .values({name: bindparam(name, type_=photos.c[name].type) for name in _PHOTO_COLUMNS})
    .returning(photos.c.id, photos.c.event_id, photos.c.sha256)
    .cte("new_photo")
)
_CLAIM = upsert(upload_digests).from_select(
    ["event_id", "sha256", "photo_id"],
    select(_NEW_PHOTO.c.event_id, _NEW_PHOTO.c.sha256, _NEW_PHOTO.c.id),
)
_ADD_PHOTO = _CLAIM.on_conflict_do_update(
    index_elements=[upload_digests.c.event_id, upload_digests.c.sha256],
    set_={"photo_id": _CLAIM.excluded.photo_id, "uploaded_at": func.now()},
    where=upload_digests.c.uploaded_at < func.now() - DUPLICATE_WINDOW,
).returning(upload_digests.c.photo_id)


class LostClaim(Exception):
    """Another photo has these bytes; the transaction must be rolled back."""


class AlreadyRecorded(Exception):
    """This very photo has its row, from an attempt whose answer was lost."""


async def find_recent_upload(
    connection: AsyncConnection, event_id: int, sha256: bytes
) -> StoredPhoto | None:
    """Return the photo that the same bytes made within the window."""
    row = (
        await connection.execute(_RECENT_UPLOAD, {"event_id": event_id, "sha256": sha256})
    ).one_or_none()
    return None if row is None else StoredPhoto(row.id, row.filename)


async def add_photo(connection: AsyncConnection, photo: NewPhoto) -> int:
    """Insert the row, make its bytes its own for the window, and return its id.

    One statement does both. Of two transactions that claim the same bytes at once the second
    waits for the first one's commit, and then raises LostClaim; of two for the same photo it
    raises AlreadyRecorded. Raises NotFound when the event is gone, AccountGone when the
    photographer's account is.
    """
    values = {name: getattr(photo, name) for name in _PHOTO_COLUMNS}
    try:
        photo_id: int | None = await connection.scalar(_ADD_PHOTO, values)
    except IntegrityError as error:
        violated = str(error.orig)
        if _EVENT_KEY in violated:
            raise NotFound("Event", photo.event_id) from error
        if _PHOTOGRAPHER_KEY in violated:
            raise AccountGone(photo.photographer_id) from error
        if _FILENAME_KEY in violated:
            raise AlreadyRecorded from error
        raise
    if photo_id is None:
        raise LostClaim
    return photo_id


async def find_photo_id(connection: AsyncConnection, filename: str) -> int | None:
    """Return the id of the photo that is stored under this name."""
    photo_id: int | None = await connection.scalar(
        select(photos.c.id).where(photos.c.filename == filename)
    )
    return photo_id

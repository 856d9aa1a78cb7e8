"""SQL of photos that are uploaded, and of what makes one upload of those sent twice."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Text,
    bindparam,
    exists,
    false,
    func,
    insert,
    or_,
    select,
    text,
    true,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from libs.common.database.tables import (
    cameras,
    events,
    photos,
    resumable_uploads,
    upload_digests,
)
from libs.common.errors import AccountGone, Conflict, NotFound
from libs.common.messaging.bus.topology import PHOTOS_AHEAD
from libs.common.rights.event_ends import EventOver, is_erased, is_over
from libs.common.rights.photos import selects
from services.ingest.images.camera import Camera
from services.ingest.photos.rules import DUPLICATE_WINDOW, Duplicates

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
    taken_at_offset: int | None
    camera: Camera | None
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A photo that is there already."""

    id: int
    filename: str


# Built once: for a photo's few statements, building them anew costs as much as running them.
_EARLIER_PHOTO = {
    Duplicates.WINDOW: select(photos.c.id, photos.c.filename)
    .join(upload_digests, upload_digests.c.photo_id == photos.c.id)
    .where(
        upload_digests.c.event_id == bindparam("event_id"),
        upload_digests.c.sha256 == bindparam("sha256"),
        upload_digests.c.uploaded_at >= func.now() - DUPLICATE_WINDOW,
    ),
    # Not by the digest alone: that one's photo may have been the second of two, and be deleted.
    Duplicates.EVENT: select(photos.c.id, photos.c.filename)
    .where(photos.c.event_id == bindparam("event_id"), photos.c.sha256 == bindparam("sha256"))
    .order_by(photos.c.id)
    .limit(1),
}
_PHOTO_COLUMNS = tuple(field.name for field in fields(NewPhoto) if field.name != "camera")
_SAID = {name: bindparam(name, type_=photos.c[name].type) for name in _PHOTO_COLUMNS}
_CAMERA_SAID = {name: bindparam(name, type_=Text()) for name in ("make", "model", "serial")}
#: Whoever puts the camera's clock right waits for the photo, which has the shift as it was, or is
#: waited for.
_KNOWN_CAMERA = (
    select(cameras.c.id, cameras.c.shift_seconds)
    .where(
        cameras.c.event_id == _SAID["event_id"],
        *(cameras.c[name] == said for name, said in _CAMERA_SAID.items()),
    )
    .with_for_update(read=True)
    .cte("known_camera")
)
_NEW_CAMERA = (
    upsert(cameras)
    .from_select(
        ["event_id", *_CAMERA_SAID],
        select(_SAID["event_id"], *_CAMERA_SAID.values()).where(
            _CAMERA_SAID["make"].is_not(None), ~exists(select(_KNOWN_CAMERA.c.id))
        ),
    )
    # Another photo of it comes at the same moment.
    .on_conflict_do_update(
        index_elements=["event_id", *_CAMERA_SAID], set_={"make": _CAMERA_SAID["make"]}
    )
    .returning(cameras.c.id, cameras.c.shift_seconds)
    .cte("new_camera")
)
_CAMERA = union_all(select(_KNOWN_CAMERA), select(_NEW_CAMERA)).cte("camera")
_SHIFT = func.coalesce(select(_CAMERA.c.shift_seconds).scalar_subquery(), 0)
_NEW_PHOTO = (
    insert(photos)
    .values(
        {
            **_SAID,
            "camera_id": select(_CAMERA.c.id).scalar_subquery(),
            "clock_shift": _SHIFT,
            "taken_at": _SAID["taken_at"] + _SHIFT * text("interval '1 second'"),
        }
    )
    .returning(photos.c.id, photos.c.event_id, photos.c.sha256)
    .cte("new_photo")
)
_CLAIM = upsert(upload_digests).from_select(
    ["event_id", "sha256", "photo_id"],
    select(_NEW_PHOTO.c.event_id, _NEW_PHOTO.c.sha256, _NEW_PHOTO.c.id),
)
_OF_EVENT = bindparam("of_event", type_=upload_digests.c.event_id.type)


def _add_photo(where: ColumnElement[bool]) -> ReturningInsert[Any]:
    """Insert a photo, and take its bytes over from the photo that has them, if that may be."""
    return _CLAIM.on_conflict_do_update(
        index_elements=[upload_digests.c.event_id, upload_digests.c.sha256],
        set_={"photo_id": _CLAIM.excluded.photo_id, "uploaded_at": func.now()},
        where=where,
    ).returning(
        upload_digests.c.photo_id,
        (~selects(_OF_EVENT)).label("seen_by_all"),
        select(or_(is_over(), is_erased())).where(events.c.id == _OF_EVENT).label("is_closed"),
        # The photo itself is not seen yet. An event's photos are analysed in their order, more or
        # less: while the last but so many waits, all behind it do (24 entries of an index).
        func.coalesce(
            select(photos.c.processing_status == "queued")
            .where(photos.c.event_id == _OF_EVENT)
            .order_by(photos.c.uploaded_at.desc(), photos.c.id.desc())
            .offset(PHOTOS_AHEAD - 1)
            .limit(1)
            .scalar_subquery(),
            False,
        ).label("in_bulk"),
    )


_ADD_PHOTO = {
    Duplicates.WINDOW: _add_photo(upload_digests.c.uploaded_at < func.now() - DUPLICATE_WINDOW),
    Duplicates.EVENT: _add_photo(false()),
    Duplicates.KEEP: _add_photo(true()),
}


class LostClaim(Exception):
    """Another photo has these bytes; the transaction must be rolled back."""


class LostUpload(Conflict):
    """The resumable upload has its outcome, or is in other hands; roll the transaction back."""

    def __init__(self) -> None:
        super().__init__("Another request took this upload over. Ask for its offset.")


class AlreadyRecorded(Exception):
    """This very photo has its row, from an attempt whose answer was lost."""


async def find_earlier_photo(
    connection: AsyncConnection, event_id: int, sha256: bytes, rule: Duplicates
) -> StoredPhoto | None:
    """Return the photo that the same bytes are by this rule, which is not KEEP."""
    row = (
        await connection.execute(_EARLIER_PHOTO[rule], {"event_id": event_id, "sha256": sha256})
    ).one_or_none()
    return None if row is None else StoredPhoto(row.id, row.filename)


@dataclass(frozen=True, slots=True)
class AddedPhoto:
    """The row's id, and whether every guest of the event sees the photo.

    `in_bulk`: the event has many photos waiting already.
    """

    id: int
    seen_by_all: bool
    in_bulk: bool


async def add_photo(connection: AsyncConnection, photo: NewPhoto, rule: Duplicates) -> AddedPhoto:
    """Insert the row, and make its bytes its own.

    One statement does both. Of two transactions that claim the same bytes at once the second
    waits for the first one's commit, and then raises LostClaim where the rule says so; of two for
    the same photo it raises AlreadyRecorded. Raises NotFound when the event is gone, EventOver
    when it has ended, AccountGone when the photographer's account is gone.
    """
    values = {name: getattr(photo, name) for name in _PHOTO_COLUMNS}
    values |= asdict(photo.camera) if photo.camera else dict.fromkeys(_CAMERA_SAID)
    try:
        added = await connection.execute(_ADD_PHOTO[rule], values | {"of_event": photo.event_id})
    except IntegrityError as error:
        violated = str(error.orig)
        if _EVENT_KEY in violated:
            raise NotFound("Event", photo.event_id) from error
        if _PHOTOGRAPHER_KEY in violated:
            raise AccountGone(photo.photographer_id) from error
        if _FILENAME_KEY in violated:
            raise AlreadyRecorded from error
        raise
    if (row := added.one_or_none()) is None:
        raise LostClaim
    if row.is_closed:
        raise EventOver(photo.event_id)
    return AddedPhoto(row.photo_id, seen_by_all=row.seen_by_all, in_bulk=row.in_bulk)


async def finish_upload(
    connection: AsyncConnection,
    upload_id: UUID,
    *,
    holder: UUID,
    values: Mapping[str, object],
) -> None:
    """Note what a resumable upload became, and let go of it. Raises LostUpload."""
    finished = await connection.execute(
        update(resumable_uploads)
        .where(
            resumable_uploads.c.id == upload_id,
            resumable_uploads.c.held_by == holder,
            resumable_uploads.c.status.is_(None),
        )
        .values(**values, received=resumable_uploads.c.length, held_by=None, held_until=None)
    )
    if finished.rowcount == 0:
        raise LostUpload


async def find_photo_id(connection: AsyncConnection, filename: str) -> int | None:
    """Return the id of the photo that is stored under this name."""
    photo_id: int | None = await connection.scalar(
        select(photos.c.id).where(photos.c.filename == filename)
    )
    return photo_id

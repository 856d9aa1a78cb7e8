"""SQL of downloads and their photos, and of what is known of guests' copies."""

import uuid
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, literal, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.accounts.principal import Principal, Role
from libs.common.database.tables import MOMENT_TAKEN, downloads, events, guest_copies, photos, users
from libs.common.photo_downloads import Folders
from libs.common.rights.event_ends import EventState, is_erased, is_over
from libs.common.rights.photos import may_see
from services.media.renditions.renditions import REMEMBERED
from services.media.stripping.pieces import RULES

#: Rows that are read, and made entries of, at a time: between two others get their turn. They
#: take 3 to 5 ms, half of it the query's.
CHUNK = 100
#: By a clock in the event's time zone, where it has one.
_MOMENT = func.coalesce(
    func.timezone(events.c.time_zone, func.timezone("UTC", MOMENT_TAKEN)), MOMENT_TAKEN
)


@dataclass(frozen=True, slots=True)
class Download:
    """Which photos somebody takes along, and what they may."""

    id: uuid.UUID
    principal: Principal
    event_id: int
    event_name: str
    event: EventState
    folders: Folders
    #: Names by id, as JSON has them.
    photographers: Mapping[str, str]
    etag: str | None
    #: Whether the photos are copies without place, names and serial numbers.
    is_of_copies: bool

    @property
    def runs_event(self) -> bool:
        """Whether it goes on while the event is over and not erased."""
        return self.principal.role is not Role.PARTICIPANT

    def is_as(self, before: "Download") -> bool:
        """Whether its owner gets of each photo what they got before."""
        now = (self.principal, self.is_of_copies)
        return now == (before.principal, before.is_of_copies)


@dataclass(frozen=True, slots=True)
class ArchivedPhoto:
    """A photo as archives need it; of a copy for guests `size_bytes` and `crc32` are the copy's."""

    id: int
    filename: str
    original_filename: str
    photographer_id: int | None
    #: By a clock in the event's time zone, else by the camera's; else when it came.
    moment: datetime
    size_bytes: int
    crc32: int
    is_picture: bool
    #: Why there is no copy.
    failure: str | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """How far the copies of a download are."""

    photos: int
    prepared: int
    #: Of the prepared ones those that cannot be made.
    failed: int
    #: Another one where another archive would be made of them.
    version: str


@dataclass(frozen=True, slots=True)
class CopyNote:
    """What is known of one copy, or why there is none."""

    photo_id: int
    size_bytes: int | None = None
    crc32: int | None = None
    is_picture: bool = False
    failure: str | None = None


async def find_download(connection: AsyncConnection, download_id: uuid.UUID) -> Download | None:
    """Return a download whose link and account are good; the event may be over."""
    row = (
        await connection.execute(
            select(
                downloads.c.id,
                downloads.c.user_id,
                users.c.user_type,
                downloads.c.event_id,
                events.c.name,
                is_over().label("is_over"),
                is_erased().label("is_erased"),
                events.c.strip_metadata,
                downloads.c.folders,
                downloads.c.photographers,
                downloads.c.etag,
            )
            .join(users, users.c.id == downloads.c.user_id)
            .join(events, events.c.id == downloads.c.event_id)
            .where(
                downloads.c.id == download_id,
                downloads.c.expires_at > func.now(),
                users.c.is_active,
            )
        )
    ).one_or_none()
    if row is None:
        return None
    role = Role(row.user_type)
    return Download(
        row.id,
        Principal(row.user_id, role),
        row.event_id,
        row.name,
        EventState(row.is_over, row.is_erased),
        Folders(row.folders),
        row.photographers,
        row.etag,
        is_of_copies=role is Role.PARTICIPANT and row.strip_metadata,
    )


async def photos_of(
    connection: AsyncConnection, download: Download
) -> AsyncIterator[Sequence[ArchivedPhoto]]:
    """Yield the download's photos that are there and that its owner may see, in a fixed order.

    Copies must be prepared; the connection must be in a transaction.
    """
    query = (
        select(*_archived(download))
        .join(events, events.c.id == photos.c.event_id)
        .join(guest_copies, _is_wanted(download), isouter=True)
        .where(*_chosen(download))
        .order_by(photos.c.id)
        .execution_options(yield_per=CHUNK)
    )
    rows = await connection.stream(query)
    async for chunk in rows.partitions():
        yield [_photo(row) for row in chunk]


async def preparation(connection: AsyncConnection, download: Download) -> Prepared:
    """Return how far the copies are; where there are none, all is prepared.

    The version is a sum of the rows' hashes, so that no row comes here: of 100,000 photos, 0.5 s of
    the database's time, and a tenth of what it takes to lay them out.
    """
    is_known = guest_copies.c.photo_id.is_not(None) if download.is_of_copies else true()
    row = (
        await connection.execute(
            select(
                func.count().label("photos"),
                func.count().filter(is_known).label("prepared"),
                func.count(guest_copies.c.failure).label("failed"),
                func.sum(func.hash_record_extended(func.row(*_archived(download)), 0)).label(
                    "version"
                ),
            )
            .select_from(photos)
            .join(events, events.c.id == photos.c.event_id)
            .join(guest_copies, _is_wanted(download), isouter=True)
            .where(*_chosen(download))
        )
    ).one()
    version = f"{download.is_of_copies:d}:{row.photos}:{row.version}"
    return Prepared(row.photos, row.prepared, row.failed, version)


async def visible(
    connection: AsyncConnection, download: Download, photo_ids: Collection[int]
) -> frozenset[int]:
    """Return those of the photos that are there and that the download's owner may see."""
    found: Iterable[int] = await connection.scalars(
        select(photos.c.id)
        .join(events, events.c.id == photos.c.event_id)
        .where(
            photos.c.event_id == download.event_id,
            photos.c.id == func.any(list(photo_ids)),
            may_see(download.principal),
        )
    )
    return frozenset(found)


async def unprepared(
    connection: AsyncConnection, download: Download, *, after: int
) -> list[tuple[int, str]]:
    """Return ids and filenames of some photos whose copies are not known, from an id on.

    Those that could not be made a while ago are among them until the archive was first sent.
    """
    is_to_be_made: ColumnElement[bool] = guest_copies.c.photo_id.is_(None)
    if download.etag is None:
        is_old = guest_copies.c.noted_at < func.now() - REMEMBERED
        is_to_be_made = or_(is_to_be_made, and_(guest_copies.c.failure.is_not(None), is_old))
    rows = await connection.execute(
        select(photos.c.id, photos.c.filename)
        .join(events, events.c.id == photos.c.event_id)
        .join(guest_copies, _is_known(), isouter=True)
        .where(*_chosen(download), photos.c.id > after, is_to_be_made)
        .order_by(photos.c.id)
        .limit(CHUNK)
    )
    return [(row.id, row.filename) for row in rows]


async def note_copies(connection: AsyncConnection, notes: Sequence[CopyNote]) -> None:
    """Keep what is known of copies, in place of what was. Their photos must be there."""
    new = upsert(guest_copies).values([asdict(note) | {"rules": RULES} for note in notes])
    replaced = {
        column.name: column
        for column in new.excluded
        if column.name not in {"photo_id", "noted_at"}
    }
    await connection.execute(
        new.on_conflict_do_update(
            index_elements=[guest_copies.c.photo_id],
            set_=replaced | {"noted_at": func.now()},
        )
    )


async def forget_copy(connection: AsyncConnection, photo_id: int) -> None:
    """Have the photo's copy looked at again before it is next sent."""
    await connection.execute(delete(guest_copies).where(guest_copies.c.photo_id == photo_id))


async def note_etag(connection: AsyncConnection, download_id: uuid.UUID, etag: str) -> None:
    """Keep the tag with which the archive was first sent."""
    await connection.execute(
        update(downloads)
        .where(downloads.c.id == download_id, downloads.c.etag.is_(None))
        .values(etag=etag)
    )


def _archived(download: Download) -> tuple[ColumnElement[Any], ...]:
    """What is read of a photo for `ArchivedPhoto`."""
    size, crc32 = photos.c.size_bytes, photos.c.crc32
    if download.is_of_copies:
        size, crc32 = guest_copies.c.size_bytes, guest_copies.c.crc32
    return (
        photos.c.id,
        photos.c.filename,
        photos.c.original_filename,
        photos.c.photographer_id,
        _MOMENT,
        func.coalesce(size, 0),
        func.coalesce(crc32, 0),
        func.coalesce(guest_copies.c.is_picture, False),
        guest_copies.c.failure,
    )


def _photo(row: Sequence[Any]) -> ArchivedPhoto:
    return ArchivedPhoto(*row)


def _is_known() -> ColumnElement[bool]:
    return and_(guest_copies.c.photo_id == photos.c.id, guest_copies.c.rules == RULES)


def _is_wanted(download: Download) -> ColumnElement[bool]:
    return and_(_is_known(), literal(download.is_of_copies))


def _chosen(download: Download) -> tuple[ColumnElement[bool], ...]:
    """Which rows of `photos`, joined with their event, are the download's."""
    ids = select(func.unnest(downloads.c.photo_ids)).where(downloads.c.id == download.id)
    return (
        photos.c.event_id == download.event_id,
        photos.c.id.in_(ids),
        may_see(download.principal),
    )

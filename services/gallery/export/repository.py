"""All that is stored about a person, table by table.

`PERSONAL` and `NOT_PERSONAL` name every table: a test asks of a new one which it is.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, FromClause, Table, case, null, or_, select, tuple_

from libs.common.database.database import Database
from libs.common.database.tables import (
    account_links,
    api_keys,
    audit,
    cameras,
    consents,
    downloads,
    event_notices,
    events,
    favourites,
    mails,
    match_overrides,
    matches,
    memberships,
    oidc_identities,
    photo_notices,
    photos,
    resumable_uploads,
    selfie_indexes,
    selfies,
    sessions,
    upload_jobs,
    users,
)

#: Rows read at once, and in one file.
CHUNK = 2000
#: What says nothing of a person and lets others in, or guess.
SECRETS = frozenset({"password_hash", "digest", "token_hash", "subject"})

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Selfie:
    """A picture of the person, and where it lies."""

    id: int
    filename: str
    object_key: str


@dataclass(frozen=True, slots=True)
class Personal:
    """The rows of one kind: whose they are, what is told of each, in the order of `key`."""

    name: str
    source: FromClause
    columns: Sequence[ColumnElement[Any]]
    key: Sequence[Column[Any]]
    is_theirs: Callable[[int], ColumnElement[bool]]


def _all(name: str, table: Table, is_theirs: Callable[[int], ColumnElement[bool]]) -> Personal:
    columns = tuple(column for column in table.c if column.name not in SECRETS)
    return Personal(name, table, columns, list(table.primary_key.columns), is_theirs)


_of_photo = (
    photos.c.original_filename,
    photos.c.uploaded_at,
    photos.c.taken_at,
    photos.c.taken_at_offset,
    photos.c.taken_instant,
)

PERSONAL = (
    _all("account", users, lambda user: users.c.id == user),
    Personal(
        "events",
        memberships.join(events, events.c.id == memberships.c.event_id),
        (memberships.c.event_id, events.c.name, events.c.date, memberships.c.joined_at),
        (memberships.c.user_id, memberships.c.event_id),
        lambda user: memberships.c.user_id == user,
    ),
    _all("consents", consents, lambda user: consents.c.user_id == user),
    _all("selfies", selfies, lambda user: selfies.c.user_id == user),
    _all("selfies-in-events", selfie_indexes, lambda user: selfie_indexes.c.user_id == user),
    Personal(
        "photos-of-you",
        matches.join(photos, photos.c.id == matches.c.photo_id),
        (*(column for column in matches.c), *_of_photo),
        (matches.c.selfie_id, matches.c.photo_id),
        lambda user: matches.c.user_id == user,
    ),
    Personal(
        "verdicts",
        match_overrides.join(photos, photos.c.id == match_overrides.c.photo_id),
        (*(column for column in match_overrides.c), *_of_photo),
        (match_overrides.c.user_id, match_overrides.c.event_id, match_overrides.c.photo_id),
        lambda user: or_(match_overrides.c.user_id == user, match_overrides.c.added_by == user),
    ),
    Personal(
        "favourites",
        favourites.join(photos, photos.c.id == favourites.c.photo_id),
        (*(column for column in favourites.c), photos.c.event_id, *_of_photo),
        (favourites.c.user_id, favourites.c.photo_id),
        lambda user: favourites.c.user_id == user,
    ),
    _all("sessions", sessions, lambda user: sessions.c.user_id == user),
    _all("api-keys", api_keys, lambda user: api_keys.c.user_id == user),
    _all("provider-logins", oidc_identities, lambda user: oidc_identities.c.user_id == user),
    _all("mails", mails, lambda user: mails.c.user_id == user),
    _all("notices", event_notices, lambda user: event_notices.c.user_id == user),
    _all("photo-notices", photo_notices, lambda user: photo_notices.c.user_id == user),
    _all("links", account_links, lambda user: account_links.c.user_id == user),
    Personal(
        "events-you-run",
        events,
        (
            events.c.id,
            events.c.name,
            events.c.event_code,
            events.c.date,
            events.c.expires_at,
            events.c.time_zone,
        ),
        (events.c.id,),
        lambda user: events.c.photographer_id == user,
    ),
    Personal(
        "photos-you-uploaded",
        photos,
        (photos.c.id, photos.c.event_id, photos.c.filename, photos.c.size_bytes, *_of_photo),
        (photos.c.id,),
        lambda user: photos.c.photographer_id == user,
    ),
    _all(
        "cameras-you-used",
        cameras,
        lambda user: cameras.c.id.in_(
            select(photos.c.camera_id).where(photos.c.photographer_id == user)
        ),
    ),
    _all("downloads", downloads, lambda user: downloads.c.user_id == user),
    _all("upload-jobs", upload_jobs, lambda user: upload_jobs.c.photographer_id == user),
    _all("resumable-uploads", resumable_uploads, lambda user: resumable_uploads.c.user_id == user),
)
#: Of nobody, of whoever is in a photo without a selfie, or of an event: `audit` is told apart, and
#: in `face_checks` nobody can be found without their picture.
NOT_PERSONAL = frozenset(
    {
        "audit",
        "aws_usage",
        "dead_letters",
        "erasures",
        "external_collections",
        "face_checks",
        "face_removals",
        "faces",
        "guest_copies",
        "match_partitions",
        "matching_settings",
        "outbox",
        "rate_limits",
        "recognition_replicas",
        "upload_digests",
        "watchers",
        "walls",
    }
)


def tables_told() -> set[str]:
    """Return the tables of which something is told, or said why not."""
    told = {column.table.name for kind in PERSONAL for column in kind.key}
    return told | NOT_PERSONAL


async def rows_of(kind: Personal, user_id: int, database: Database) -> AsyncIterator[list[Row]]:
    """Yield the rows in chunks; no connection is held between two."""
    last: tuple[object, ...] | None = None
    marks = [column.label(f"_{column.name}") for column in kind.key]
    while True:
        query = (
            select(*kind.columns, *marks)
            .select_from(kind.source)
            .where(kind.is_theirs(user_id))
            .order_by(*kind.key)
            .limit(CHUNK)
        )
        if last is not None:
            query = query.where(tuple_(*kind.key) > last)
        async with database.read(patient=True) as connection:
            found = (await connection.execute(query)).mappings().all()
        if found:
            last = tuple(found[-1][mark.name] for mark in marks)
            yield [{k: v for k, v in row.items() if not k.startswith("_")} for row in found]
        if len(found) < CHUNK:
            return


def audit_of(user_id: int) -> Personal:
    """Return what the person did, and what was done to them; of others not where they were."""
    is_theirs = audit.c.actor_id == user_id
    return Personal(
        "audit",
        audit,
        (
            audit.c.at,
            audit.c.action,
            is_theirs.label("by_you"),
            audit.c.event_id,
            audit.c.object_id,
            audit.c.details,
            case((is_theirs, audit.c.address), else_=null()).label("address"),
        ),
        (audit.c.id,),
        lambda user: or_(audit.c.actor_id == user, audit.c.account_id == user),
    )


async def selfies_of(user_id: int, database: Database) -> list[Selfie]:
    """Return the person's pictures, the oldest first."""
    async with database.read() as connection:
        rows = await connection.execute(
            select(selfies.c.id, selfies.c.filename, selfies.c.object_key)
            .where(selfies.c.user_id == user_id)
            .order_by(selfies.c.id)
        )
    return [Selfie(**row._asdict()) for row in rows]

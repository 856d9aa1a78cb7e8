"""What waits for recognition, and what the paid face service was called for: reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.accounts.principal import Role
from libs.common.database.tables import (
    IS_FAILED,
    aws_usage,
    dead_letters,
    events,
    match_partitions,
    photos,
    recognition_replicas,
    sessions,
    users,
)
from services.gallery.operations.rules import PaidCalls

#: Reads the index of unfinished photos, however many are finished; those of events that are over
#: wait for nothing.
_PHOTOS = text(
    """
    SELECT p.processing_status, count(*) AS waiting,
           extract(epoch FROM now() - min(p.uploaded_at)) AS oldest_seconds
    FROM photos p JOIN events e ON e.id = p.event_id
    WHERE p.processing_status IN ('queued', 'analyzed') AND e.expires_at > now()
    GROUP BY p.processing_status
    """
)
#: A selfie waits in each event of its guest. Events that are over are left out: nobody waits
#: there, and their guests are most of the table.
_SELFIES = text(
    """
    SELECT count(*) AS waiting,
           extract(epoch FROM now() - min(greatest(s.created_at, m.joined_at))) AS oldest_seconds
    FROM events e JOIN memberships m ON m.event_id = e.id JOIN selfies s ON s.user_id = m.user_id
    LEFT JOIN selfie_indexes i ON i.selfie_id = s.id AND i.event_id = m.event_id
    WHERE e.expires_at > now() AND (i.status IS NULL OR i.status IN ('claimed', 'indexed'))
    """
)
_ERASURES = text(
    """
    SELECT count(*) AS waiting, extract(epoch FROM now() - min(created_at)) AS oldest_seconds
    FROM face_removals
    """
)
_ENDED_COLLECTIONS = text(
    """
    SELECT count(*) FROM external_collections c
    WHERE NOT EXISTS (SELECT FROM events e WHERE e.id = c.event_id AND e.erased_at IS NULL)
    """
)
_FAILED = photos.join(events, events.c.id == photos.c.event_id)
_IS_FAILED = (IS_FAILED, events.c.expires_at > func.now())
_SIZE = text("SELECT pg_database_size(current_database())")


@dataclass(frozen=True, slots=True)
class LettersOfQueue:
    """The dead letters of one queue."""

    queue: str
    letters: int
    oldest_at: datetime


@dataclass(frozen=True, slots=True)
class Partition:
    """Who matches the events of a partition; `lease_seconds` are left of its owner's lease."""

    partition: int
    owner: str | None
    epoch: int
    lease_seconds: float | None
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Replica:
    """A process of recognition, and how long it has said nothing."""

    replica_id: str
    engine: str | None
    started_at: datetime
    silent_seconds: float


@dataclass(frozen=True, slots=True)
class FailedPhoto:
    """A photo that could not be analysed, and why."""

    id: int
    event_id: int
    event_name: str
    original_filename: str
    uploaded_at: datetime
    reason: str | None


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody who runs events or FindMe, and where they are logged in."""

    id: int
    username: str
    email: str | None
    user_type: str
    is_active: bool
    created_at: datetime
    events: int
    logins: int
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """So many, the oldest for so long; 0 seconds where nothing waits."""

    count: int = 0
    oldest_seconds: float = 0.0


async def photos_waiting(connection: AsyncConnection) -> dict[str, Waiting]:
    """Return the photos that wait, by status: queued for their analysis, analyzed for a match."""
    rows = await connection.execute(_PHOTOS)
    found = {row.processing_status: _waiting(row) for row in rows}
    return {status: found.get(status, Waiting()) for status in ("queued", "analyzed")}


async def selfies_waiting(connection: AsyncConnection) -> Waiting:
    """Return the selfies that wait, each counted in every event of its guest."""
    return _waiting((await connection.execute(_SELFIES)).one())


async def erasures_waiting(connection: AsyncConnection) -> tuple[Waiting, int]:
    """Return the faces that the paid service must delete, and the events it must forget."""
    faces = _waiting((await connection.execute(_ERASURES)).one())
    return faces, await connection.scalar(_ENDED_COLLECTIONS) or 0


async def database_bytes(connection: AsyncConnection) -> int:
    """Return the size of the database on its disk."""
    return int(await connection.scalar(_SIZE) or 0)


async def paid_calls(
    connection: AsyncConnection, *, event_id: int | None = None, since: date | None = None
) -> Sequence[PaidCalls]:
    """Return the calls of one event or of all, from a day on (UTC)."""
    query = (
        select(
            aws_usage.c.event_id,
            aws_usage.c.operation,
            func.sum(aws_usage.c.calls).label("calls"),
        )
        .group_by(aws_usage.c.event_id, aws_usage.c.operation)
        .order_by(aws_usage.c.event_id, aws_usage.c.operation)
    )
    if event_id is not None:
        query = query.where(aws_usage.c.event_id == event_id)
    if since is not None:
        query = query.where(aws_usage.c.day >= since)
    rows = await connection.execute(query)
    return [PaidCalls(row.event_id, row.operation, int(row.calls)) for row in rows]


async def letters_by_queue(connection: AsyncConnection) -> list[LettersOfQueue]:
    """Return how many dead letters each queue has, and since when."""
    rows = await connection.execute(
        select(
            dead_letters.c.queue,
            func.count().label("letters"),
            func.min(dead_letters.c.died_at).label("oldest_at"),
        )
        .group_by(dead_letters.c.queue)
        .order_by(dead_letters.c.queue)
    )
    return [LettersOfQueue(**row._asdict()) for row in rows]


async def partitions(connection: AsyncConnection) -> list[Partition]:
    """Return all partitions in order; none before recognition has run."""
    lease = func.extract("epoch", match_partitions.c.lease_until - func.now())
    rows = await connection.execute(
        select(
            match_partitions.c.partition,
            match_partitions.c.owner,
            match_partitions.c.epoch,
            lease.label("lease_seconds"),
            match_partitions.c.changed_at,
        ).order_by(match_partitions.c.partition)
    )
    return [
        Partition(
            row.partition,
            row.owner,
            row.epoch,
            None if row.lease_seconds is None else float(row.lease_seconds),
            row.changed_at,
        )
        for row in rows
    ]


async def replicas(connection: AsyncConnection) -> list[Replica]:
    """Return recognition's processes, the one heard last first."""
    silent = func.extract("epoch", func.now() - recognition_replicas.c.seen_at)
    rows = await connection.execute(
        select(
            recognition_replicas.c.replica_id,
            recognition_replicas.c.engine,
            recognition_replicas.c.started_at,
            silent.label("silent_seconds"),
        ).order_by(recognition_replicas.c.seen_at.desc())
    )
    return [
        Replica(row.replica_id, row.engine, row.started_at, float(row.silent_seconds))
        for row in rows
    ]


async def count_failed_photos(connection: AsyncConnection) -> int:
    """Return how many photos of events that are not over could not be analysed."""
    query = select(func.count()).select_from(_FAILED).where(*_IS_FAILED)
    return await connection.scalar(query) or 0


async def failed_photos(
    connection: AsyncConnection, *, before: int | None, limit: int
) -> list[FailedPhoto]:
    """Return those photos by falling id, the newest first."""
    query = (
        select(
            photos.c.id,
            photos.c.event_id,
            events.c.name.label("event_name"),
            photos.c.original_filename,
            photos.c.uploaded_at,
            photos.c.processing_error.label("reason"),
        )
        .select_from(_FAILED)
        .where(*_IS_FAILED)
        .order_by(photos.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(photos.c.id < before)
    return [FailedPhoto(**row._asdict()) for row in await connection.execute(query)]


async def colleagues(connection: AsyncConnection) -> list[Colleague]:
    """Return photographers and admins, admins first, by name."""
    runs = (
        select(events.c.photographer_id, func.count().label("events"))
        .group_by(events.c.photographer_id)
        .subquery()
    )
    logins = (
        select(
            sessions.c.user_id,
            func.count().label("logins"),
            func.max(sessions.c.last_seen_at).label("last_seen_at"),
        )
        .where(sessions.c.expires_at > func.now())
        .group_by(sessions.c.user_id)
        .subquery()
    )
    rows = await connection.execute(
        select(
            users.c.id,
            users.c.username,
            users.c.email,
            users.c.user_type,
            users.c.is_active,
            users.c.created_at,
            func.coalesce(runs.c.events, 0).label("events"),
            func.coalesce(logins.c.logins, 0).label("logins"),
            logins.c.last_seen_at,
        )
        .select_from(
            users.outerjoin(runs, runs.c.photographer_id == users.c.id).outerjoin(
                logins, logins.c.user_id == users.c.id
            )
        )
        .where(users.c.user_type.in_((Role.ADMIN.value, Role.PHOTOGRAPHER.value)))
        .order_by(users.c.user_type, func.lower(users.c.username), users.c.id)
    )
    return [Colleague(**row._asdict()) for row in rows]


async def keep_colleague(connection: AsyncConnection, user_id: int) -> bool:
    """Whether it is somebody who runs events or FindMe, whose account stays until the end."""
    found = await connection.scalar(
        select(users.c.id)
        .where(
            users.c.id == user_id,
            users.c.user_type.in_((Role.ADMIN.value, Role.PHOTOGRAPHER.value)),
        )
        .with_for_update(read=True, key_share=True)
    )
    return found is not None


def _waiting(row: object) -> Waiting:
    count, oldest_seconds = row[-2:]  # type: ignore[index]
    return Waiting(int(count), float(oldest_seconds or 0.0))

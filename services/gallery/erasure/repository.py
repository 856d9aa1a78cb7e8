"""SQL of events that end: which are to be announced or erased, and the deletion of their rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Text,
    and_,
    cast,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.locks import AdvisoryLock
from libs.common.database.tables import (
    cameras,
    downloads,
    events,
    memberships,
    photos,
    resumable_uploads,
    selfie_indexes,
    selfies,
    upload_jobs,
    users,
    walls,
    watchers,
)
from services.gallery.erasure.rules import Notice, NoticeKind

#: Photos that were on their way in when the erasure began are looked for, for so long.
_LOOK_AGAIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Due:
    """An event that is to be erased, or to be erased further."""

    event_id: int
    #: Its erasure has begun, and did not come to an end, or something came in after that.
    goes_on: bool


@dataclass(frozen=True, slots=True)
class Backlog:
    """Events that should have been erased by now, and for how long; when the next one is due."""

    events: int
    overdue_seconds: float
    next_in_seconds: float | None


async def lead(connection: AsyncConnection) -> bool:
    """Whether this transaction is the only one that erases, until its end."""
    return bool(
        await connection.scalar(
            text(f"SELECT pg_try_advisory_xact_lock({AdvisoryLock.EVENT_ERASURE:d})")
        )
    )


def erases_at(grace: timedelta) -> ColumnElement[datetime]:
    """When the event of a row of `events` is erased."""
    return func.greatest(events.c.expires_at + grace, events.c.kept_until)


def _is_unfinished(grace: timedelta) -> ColumnElement[bool]:
    is_due = and_(events.c.erasure_began_at.is_(None), erases_at(grace) <= func.now())
    has_begun = and_(events.c.erasure_began_at.is_not(None), events.c.erased_at.is_(None))
    came_late = and_(
        events.c.erased_at > func.now() - _LOOK_AGAIN,
        or_(
            exists().where(photos.c.event_id == events.c.id),
            exists().where(selfie_indexes.c.event_id == events.c.id),
        ),
    )
    return or_(is_due, has_begun, came_late)


async def take_due_event(connection: AsyncConnection, *, grace: timedelta) -> Due | None:
    """Lock the event that has been due for longest: nobody prolongs it meanwhile."""
    row = (
        await connection.execute(
            select(events.c.id, events.c.erasure_began_at, events.c.erased_at)
            .where(_is_unfinished(grace))
            .order_by(events.c.expires_at, events.c.id)
            .limit(1)
            .with_for_update(key_share=True, skip_locked=True)
        )
    ).one_or_none()
    if row is None:
        return None
    goes_on = row.erasure_began_at is not None and row.erased_at is None
    return Due(row.id, goes_on=goes_on)


async def begin(connection: AsyncConnection, event_id: int) -> None:
    """Close the event to everybody, for good; or begin again with what came in at the end."""
    began = func.coalesce(events.c.erasure_began_at, func.now())
    await connection.execute(
        update(events).where(events.c.id == event_id).values(erasure_began_at=began, erased_at=None)
    )


async def delete_photos(connection: AsyncConnection, event_id: int, *, limit: int) -> int:
    """Delete some of the event's photos with their faces and matches; return how many."""
    some = (
        select(photos.c.id)
        .where(photos.c.event_id == event_id)
        .order_by(photos.c.id)
        .limit(limit)
        .with_for_update()
    )
    ids: Iterable[int] = (await connection.scalars(some)).all()
    done = await connection.execute(delete(photos).where(photos.c.id.in_(list(ids))))
    return done.rowcount


async def delete_selfie_indexes(connection: AsyncConnection, event_id: int, *, limit: int) -> int:
    """Delete some of the guests' selfies from the event's index; return how many."""
    some = (
        select(selfie_indexes.c.selfie_id)
        .where(selfie_indexes.c.event_id == event_id)
        .order_by(selfie_indexes.c.selfie_id)
        .limit(limit)
        .with_for_update()
    )
    ids: Iterable[int] = (await connection.scalars(some)).all()
    done = await connection.execute(
        delete(selfie_indexes).where(
            selfie_indexes.c.event_id == event_id, selfie_indexes.c.selfie_id.in_(list(ids))
        )
    )
    return done.rowcount


async def finish(connection: AsyncConnection, event_id: int) -> None:
    """Delete the rest, and what guests without another event were found by; free the code."""
    for table in (downloads, upload_jobs, resumable_uploads, watchers, walls, cameras):
        await connection.execute(delete(table).where(table.c.event_id == event_id))
    await _forget_embeddings(connection, event_id)
    await connection.execute(
        update(events)
        .where(events.c.id == event_id)
        # No code that somebody types is in lower case, or has a space.
        .values(
            erased_at=func.now(),
            code_key=literal("erased ").concat(cast(events.c.id, Text)),
            code_look=None,
            accent=None,
            consent_text=None,
        )
    )


async def _forget_embeddings(connection: AsyncConnection, event_id: int) -> None:
    """As a trigger does with a guest's last membership, in the same order of locks."""
    guests = (
        select(users.c.id)
        .join(memberships, memberships.c.user_id == users.c.id)
        .where(memberships.c.event_id == event_id)
        .order_by(users.c.id)
        .with_for_update(key_share=True, of=users)
    )
    ids: Iterable[int] = (await connection.scalars(guests)).all()
    other = events.alias("other")
    await connection.execute(
        update(selfies)
        .where(
            selfies.c.user_id.in_(list(ids)),
            selfies.c.embedding.is_not(None),
            ~exists().where(
                memberships.c.user_id == selfies.c.user_id,
                memberships.c.event_id == other.c.id,
                other.c.erasure_began_at.is_(None),
            ),
        )
        .values(engine=None, embedding=None)
    )


async def backlog(connection: AsyncConnection, *, grace: timedelta) -> Backlog:
    """Return what should have been erased by now, and when the next event is due."""
    late = func.extract("epoch", func.now() - func.min(erases_at(grace)))
    row = (
        await connection.execute(
            select(func.count().label("events"), late.label("seconds")).where(_is_unfinished(grace))
        )
    ).one()
    coming = await connection.scalar(
        select(func.extract("epoch", func.min(erases_at(grace)) - func.now())).where(
            events.c.erasure_began_at.is_(None), erases_at(grace) > func.now()
        )
    )
    return Backlog(
        events=row.events,
        overdue_seconds=max(0.0, float(row.seconds or 0)),
        next_in_seconds=None if coming is None else float(coming),
    )


async def take_notices(
    connection: AsyncConnection, *, grace: timedelta, notice: timedelta, limit: int
) -> Sequence[Notice]:
    """Note some of the announcements that are due, and return them: each is given out once.

    One that was given out for another moment, before the event was prolonged, is due again.
    """
    rows = await connection.execute(
        _TAKE_NOTICES, {"grace": grace, "notice": notice, "limit": limit}
    )
    return [
        Notice(
            user_id=row.user_id,
            kind=NoticeKind(row.kind),
            event_name=row.name,
            expires_at=row.expires_at,
            erases_at=row.erases_at,
        )
        for row in rows
    ]


_TAKE_NOTICES = text(
    f"""
    WITH ending AS (
        SELECT id, name, photographer_id, expires_at,
               greatest(expires_at + CAST(:grace AS interval), kept_until) AS erases_at
        FROM events WHERE erasure_began_at IS NULL
    ), due AS (
        SELECT e.id AS event_id, m.user_id, '{NoticeKind.END_FOR_GUEST}' AS kind,
               e.expires_at AS moment
        FROM ending e JOIN memberships m ON m.event_id = e.id
        WHERE e.expires_at > now() AND e.expires_at - CAST(:notice AS interval) <= now()
        UNION ALL
        SELECT id, photographer_id, '{NoticeKind.END}', expires_at FROM ending
        WHERE expires_at > now() AND expires_at - CAST(:notice AS interval) <= now()
        UNION ALL
        SELECT id, photographer_id, '{NoticeKind.ERASURE}', erases_at FROM ending
        WHERE erases_at > now() AND erases_at - CAST(:notice AS interval) <= now()
          AND expires_at <= now()
    ), missing AS (
        SELECT d.* FROM due d JOIN users u ON u.id = d.user_id AND u.is_active
        WHERE NOT EXISTS (
            SELECT FROM event_notices n
            WHERE n.event_id = d.event_id AND n.user_id = d.user_id AND n.kind = d.kind
              AND n.moment = d.moment)
        ORDER BY d.event_id, d.user_id, d.kind LIMIT :limit
    ), noted AS (
        INSERT INTO event_notices (event_id, user_id, kind, moment)
        SELECT event_id, user_id, kind, moment FROM missing
        ON CONFLICT (event_id, user_id, kind)
            DO UPDATE SET moment = excluded.moment, noticed_at = now()
        RETURNING event_id, user_id, kind)
    SELECT noted.user_id, noted.kind, ending.name, ending.expires_at, ending.erases_at
    FROM noted JOIN ending ON ending.id = noted.event_id
    """  # noqa: S608 - constants
)

"""SQL of unfinished work: what is old, what of it has come through, and sending it again.

Only of events that have not expired: of the others nobody waits for anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Ages:
    """Moments by the database's clock; work is looked at that was sent before the cutoff."""

    cutoff: datetime
    #: A photo that somebody had in hand after this may wait for its next attempt.
    untouched_since: datetime


async def ages(
    connection: AsyncConnection, *, older_than_seconds: float, retry_seconds: float
) -> Ages:
    """Return the moments, seen from now."""
    row = (
        await connection.execute(
            text(
                "SELECT now() - make_interval(secs => :age) AS cutoff,"
                " now() - make_interval(secs => :age + :retry) AS untouched_since"
            ),
            {"age": older_than_seconds, "retry": retry_seconds},
        )
    ).one()
    return Ages(row.cutoff, row.untouched_since)


#: Only of a queued photo: the claims of others are those of their analysis.
_OLD_PHOTO = """
    p.processing_status = :status
    AND (p.processing_status <> 'queued'
         OR p.claimed_at IS NULL OR p.claimed_at <= :untouched_since)
"""
_UNFINISHED_SELFIE = "(i.status IS NULL OR i.status IN ('claimed', 'indexed'))"


async def events_with_old_photos(connection: AsyncConnection, status: str, ages: Ages) -> list[int]:
    """Return the open events of which photos have been of this status since the cutoff."""
    return list(
        await connection.scalars(
            text(
                f"""
                SELECT DISTINCT p.event_id
                FROM photos p JOIN events e ON e.id = p.event_id AND e.expires_at > now()
                WHERE {_OLD_PHOTO} AND p.enqueued_at <= :cutoff
                """  # noqa: S608 - a text of ours
            ),
            {
                "status": status,
                "cutoff": ages.cutoff,
                "untouched_since": ages.untouched_since,
            },
        )
    )


async def events_with_few_queued(
    connection: AsyncConnection, event_ids: Sequence[int], *, most: int
) -> set[int]:
    """Return those of the events of which so many photos at most wait to be analysed."""
    rows = await connection.scalars(
        text(
            """
            SELECT e.id FROM unnest(CAST(:events AS bigint[])) AS e (id)
            WHERE (SELECT count(*) FROM (
                SELECT FROM photos p
                WHERE p.event_id = e.id AND p.processing_status = 'queued' LIMIT :most + 1
            ) AS queued) <= :most
            """
        ),
        {"events": list(event_ids), "most": most},
    )
    return set(rows)


async def events_with_old_selfies(connection: AsyncConnection, ages: Ages) -> list[int]:
    """Return the open events of which selfies have been unfinished since the cutoff."""
    return list(
        await connection.scalars(
            text(
                f"""
                SELECT DISTINCT m.event_id
                FROM events e
                JOIN memberships m ON m.event_id = e.id JOIN selfies s ON s.user_id = m.user_id
                LEFT JOIN selfie_indexes i ON i.selfie_id = s.id AND i.event_id = m.event_id
                WHERE e.expires_at > now() AND {_UNFINISHED_SELFIE}
                  AND greatest(s.enqueued_at, m.joined_at) <= :cutoff
                """  # noqa: S608 - a text of ours
            ),
            {"cutoff": ages.cutoff},
        )
    )


async def not_published_yet(connection: AsyncConnection) -> dict[str, int]:
    """Count the messages that wait in the outbox, by routing key."""
    rows = await connection.execute(
        text("SELECT routing_key, count(*) AS messages FROM outbox GROUP BY routing_key")
    )
    return {row.routing_key: row.messages for row in rows}


@dataclass(frozen=True, slots=True)
class CameThrough:
    """When the latest messages of an event were sent that are known to have been handled.

    First messages only: of what was sent again, nobody knows which message did it.
    """

    event_id: int
    analyzed: datetime | None
    matched: datetime | None


async def came_through(connection: AsyncConnection) -> list[CameThrough]:
    """Return for every open event what has come through last."""
    rows = await connection.execute(_CAME_THROUGH)
    return [CameThrough(row.event_id, row.analyzed, row.matched) for row in rows]


# A photo without faces is done without having been matched, at the moment of its analysis.
# Of 51 events with 100,000 photos and 5,000 selfies this takes 76 ms, 70 of them for the selfies;
# without `photos_matched_idx`, which has to be named by its condition, 276 ms and the whole table.
_CAME_THROUGH = text(
    """
    SELECT e.id AS event_id,
        (SELECT p.uploaded_at FROM photos p
         WHERE p.event_id = e.id AND p.processing_status IN ('analyzed', 'done')
         ORDER BY p.uploaded_at DESC, p.id DESC LIMIT 1) AS analyzed,
        greatest(
            (SELECT max(p.analyzed_at) FROM photos p
             WHERE p.event_id = e.id AND p.processing_status = 'done'
               AND p.finished_at > p.analyzed_at),
            (SELECT max(greatest(s.created_at, m.joined_at))
             FROM selfie_indexes i JOIN selfies s ON s.id = i.selfie_id
             JOIN memberships m ON m.user_id = s.user_id AND m.event_id = i.event_id
             WHERE i.event_id = e.id
               AND i.finished_at > greatest(s.created_at, m.joined_at))) AS matched
    FROM events e WHERE e.expires_at > now()
    """
)


@dataclass(frozen=True, slots=True)
class LostPhoto:
    """A photo whose message is to be sent again."""

    id: int
    event_id: int
    traceparent: str | None


async def take_lost_photos(
    connection: AsyncConnection,
    status: str,
    before: Mapping[int, datetime],
    ages: Ages,
    *,
    limit: int,
) -> list[LostPhoto]:
    """Mark photos of these events as sent now; `before` says up to when they are lost."""
    rows = await connection.execute(
        text(
            f"""
            UPDATE photos SET enqueued_at = clock_timestamp() WHERE id IN (
                SELECT p.id FROM photos p
                JOIN unnest(CAST(:events AS bigint[]), CAST(:moments AS timestamptz[]))
                     AS lost (event_id, before) ON lost.event_id = p.event_id
                WHERE {_OLD_PHOTO} AND p.enqueued_at <= lost.before
                ORDER BY p.enqueued_at LIMIT :limit FOR UPDATE OF p SKIP LOCKED)
            RETURNING id, event_id, traceparent
            """  # noqa: S608 - a text of ours
        ),
        {
            "status": status,
            "events": list(before.keys()),
            "moments": list(before.values()),
            "untouched_since": ages.untouched_since,
            "limit": limit,
        },
    )
    lost = [LostPhoto(row.id, row.event_id, row.traceparent) for row in rows]
    return sorted(lost, key=lambda photo: photo.id)


@dataclass(frozen=True, slots=True)
class LostSelfie:
    """A selfie whose message to one of its events is to be sent again."""

    id: int
    user_id: int
    event_id: int


async def take_lost_selfies(
    connection: AsyncConnection, before: Mapping[int, datetime], *, limit: int
) -> list[LostSelfie]:
    """Mark selfies as sent now, up to `limit`, and return each with all its unfinished events.

    With all of them, as a selfie has one moment of its sending for all its events.
    """
    rows = await connection.execute(
        _TAKE_LOST_SELFIES,
        {"events": list(before.keys()), "moments": list(before.values()), "limit": limit},
    )
    return [LostSelfie(row.id, row.user_id, row.event_id) for row in rows]


_TAKE_LOST_SELFIES = text(
    f"""
    WITH lost AS (
        SELECT DISTINCT s.id
        FROM unnest(CAST(:events AS bigint[]), CAST(:moments AS timestamptz[]))
             AS lost (event_id, before)
        JOIN memberships m ON m.event_id = lost.event_id JOIN selfies s ON s.user_id = m.user_id
        LEFT JOIN selfie_indexes i ON i.selfie_id = s.id AND i.event_id = m.event_id
        WHERE {_UNFINISHED_SELFIE} AND greatest(s.enqueued_at, m.joined_at) <= lost.before
        ORDER BY s.id LIMIT :limit
    ), marked AS (
        UPDATE selfies SET enqueued_at = clock_timestamp() WHERE id IN (SELECT id FROM lost)
        RETURNING id, user_id)
    SELECT s.id, s.user_id, m.event_id
    FROM marked s JOIN memberships m ON m.user_id = s.user_id
    JOIN events e ON e.id = m.event_id AND e.expires_at > now()
    LEFT JOIN selfie_indexes i ON i.selfie_id = s.id AND i.event_id = m.event_id
    WHERE {_UNFINISHED_SELFIE}
    ORDER BY s.id, m.event_id
    """  # noqa: S608 - a text of ours
)

"""SQL of what is to be indexed again. "Stale" is what another engine than the present one has.

Only in events that have not expired; failed photos stay failed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.locks import AdvisoryLock

_STALE_PHOTO = """
    SELECT FROM photos p WHERE p.event_id = e.id
    AND p.processing_status IN ('analyzed', 'done') AND p.engine
"""
_STALE_SELFIE = "SELECT FROM selfie_indexes i WHERE i.event_id = e.id AND i.engine"
# Two ranges of an index each: "unlike" would read all of it.
_STALE_EVENTS = text(
    f"""
    SELECT e.id FROM events e
    WHERE e.expires_at > now()
      AND (EXISTS ({_STALE_PHOTO} < :engine) OR EXISTS ({_STALE_PHOTO} > :engine)
           OR EXISTS ({_STALE_SELFIE} < :engine) OR EXISTS ({_STALE_SELFIE} > :engine))
    ORDER BY e.id DESC
    """  # noqa: S608 - a text of ours
)


@dataclass(frozen=True, slots=True)
class Stale:
    """How much of another engine is left in events that have not expired."""

    photos: int
    selfies: int


@dataclass(frozen=True, slots=True)
class StaleSelfie:
    """A selfie that nobody has indexed any more in the event."""

    id: int
    user_id: int
    event_id: int


@dataclass(frozen=True, slots=True)
class StalePhoto:
    """A photo that is on its way to be analysed again."""

    id: int
    event_id: int


async def lead(connection: AsyncConnection) -> bool:
    """Whether no other replica feeds; it stays so until the transaction ends."""
    return bool(
        await connection.scalar(
            text(f"SELECT pg_try_advisory_xact_lock({AdvisoryLock.REINDEXING:d})")
        )
    )


async def engines_at_work(connection: AsyncConnection, *, lease_seconds: float) -> set[str | None]:
    """Return the engines of the live replicas; None is one that does not say."""
    return set(
        await connection.scalars(
            text(
                "SELECT DISTINCT engine FROM recognition_replicas"
                " WHERE seen_at > now() - make_interval(secs => :lease_seconds)"
            ),
            {"lease_seconds": lease_seconds},
        )
    )


async def count_replicas(connection: AsyncConnection, *, lease_seconds: float) -> int:
    """Return how many replicas are alive."""
    return int(
        await connection.scalar(
            text(
                "SELECT count(*) FROM recognition_replicas"
                " WHERE seen_at > now() - make_interval(secs => :lease_seconds)"
            ),
            {"lease_seconds": lease_seconds},
        )
        or 0
    )


async def stale_events(connection: AsyncConnection, engine: str) -> list[int]:
    """Return the events in which something is stale, the newest first."""
    return list(await connection.scalars(_STALE_EVENTS, {"engine": engine}))


async def count_stale(connection: AsyncConnection, engine: str) -> Stale:
    """Count what is stale in all of them."""
    row = (
        await connection.execute(
            text(
                """
                WITH open_events AS (SELECT id FROM events WHERE expires_at > now())
                SELECT
                    (SELECT count(*) FROM photos p JOIN open_events e ON e.id = p.event_id
                     WHERE p.engine <> :engine
                       AND p.processing_status IN ('analyzed', 'done')) AS photos,
                    (SELECT count(*) FROM selfie_indexes i JOIN open_events e ON e.id = i.event_id
                     WHERE i.engine <> :engine) AS selfies
                """
            ),
            {"engine": engine},
        )
    ).one()
    return Stale(photos=row.photos, selfies=row.selfies)


async def photos_in_hand(
    connection: AsyncConnection, *, patience_seconds: float, enough: int
) -> int:
    """Return how many photos wait for their analysis or are in it, new and stale ones.

    They are counted until there are enough: of a long line the length costs nothing.
    """
    return int(
        await connection.scalar(
            text(
                """
                SELECT count(*) FROM (
                    (SELECT FROM photos WHERE processing_status = 'queued' LIMIT :enough)
                    UNION ALL
                    (SELECT FROM photos
                     WHERE reindexing_since > now() - make_interval(secs => :patience_seconds)
                     LIMIT :enough)) AS in_hand
                """
            ),
            {"patience_seconds": patience_seconds, "enough": enough},
        )
        or 0
    )


async def selfie_room(
    connection: AsyncConnection, event_ids: Sequence[int], engine: str, *, at_once: int
) -> dict[int, int]:
    """Return, of those of the events that have stale selfies, how many more may be on their way.

    On their way are those that wait to be indexed and matched by this engine.
    """
    rows = await connection.execute(
        _SELFIE_ROOM, {"events": list(event_ids), "engine": engine, "at_once": at_once}
    )
    return {row.event_id: row.room for row in rows}


_SELFIE_ROOM = text(
    f"""
    SELECT e.id AS event_id, greatest(:at_once - (
        SELECT count(*) FROM memberships m JOIN selfies s ON s.user_id = m.user_id
        LEFT JOIN selfie_indexes i ON i.selfie_id = s.id AND i.event_id = m.event_id
        WHERE m.event_id = e.id
          AND (i.status IS NULL OR i.status = 'claimed'
               OR i.status = 'indexed' AND i.engine = :engine)), 0) AS room
    FROM unnest(CAST(:events AS bigint[])) AS e (id)
    WHERE EXISTS ({_STALE_SELFIE} < :engine) OR EXISTS ({_STALE_SELFIE} > :engine)
    """  # noqa: S608 - a text of ours
)


async def take_selfies(
    connection: AsyncConnection, room: Mapping[int, int], engine: str
) -> list[StaleSelfie]:
    """Forget how up to so many selfies of each event were indexed: they wait as new ones do.

    What another engine found when they were checked is of no use any more, and goes, too.
    """
    if not any(room.values()):
        return []
    rows = await connection.execute(
        _TAKE_SELFIES,
        {"events": list(room.keys()), "limits": list(room.values()), "engine": engine},
    )
    return [StaleSelfie(row.selfie_id, row.user_id, row.event_id) for row in rows]


_TAKE_SELFIES = text(
    """
    WITH stale AS (
        SELECT found.selfie_id, room.event_id
        FROM unnest(CAST(:events AS bigint[]), CAST(:limits AS bigint[]))
             AS room (event_id, number)
        CROSS JOIN LATERAL (
            SELECT i.selfie_id FROM selfie_indexes i
            WHERE i.event_id = room.event_id AND i.engine <> :engine
            ORDER BY i.selfie_id LIMIT room.number FOR UPDATE SKIP LOCKED) AS found
    ), gone AS (
        DELETE FROM selfie_indexes WHERE (selfie_id, event_id) IN (SELECT * FROM stale)
        RETURNING selfie_id, event_id, user_id
    ), marked AS (
        UPDATE selfies SET enqueued_at = clock_timestamp(),
            embedding = CASE WHEN engine = :engine THEN embedding END,
            engine = CASE WHEN engine = :engine THEN engine END
        WHERE id IN (SELECT selfie_id FROM gone))
    SELECT selfie_id, event_id, user_id FROM gone
    """
)


async def take_photos(
    connection: AsyncConnection,
    event_ids: Sequence[int],
    engine: str,
    *,
    limit: int,
    patience_seconds: float,
) -> list[StalePhoto]:
    """Mark up to `limit` stale photos as being on their way: of the first events, the newest first.

    Those that are on their way for longer than the patience are taken once more.
    """
    rows = await connection.execute(
        _TAKE_PHOTOS,
        {
            "events": list(event_ids),
            "engine": engine,
            "limit": limit,
            "patience_seconds": patience_seconds,
        },
    )
    return [StalePhoto(row.id, row.event_id) for row in rows]


# An event's engines are found by leaping from one to the next in the index, and the photos of
# each are read in its order: neither costs more with the photos that are left.
_TAKE_PHOTOS = text(
    """
    WITH stale AS (
        SELECT of_event.id
        FROM unnest(CAST(:events AS bigint[])) WITH ORDINALITY AS e (id, place)
        CROSS JOIN LATERAL (
            WITH RECURSIVE engines AS (
                (SELECT engine FROM photos
                 WHERE event_id = e.id AND engine IS NOT NULL ORDER BY engine LIMIT 1)
                UNION ALL
                SELECT (SELECT p.engine FROM photos p
                        WHERE p.event_id = e.id AND p.engine > engines.engine
                        ORDER BY p.engine LIMIT 1)
                FROM engines WHERE engines.engine IS NOT NULL
            )
            SELECT found.id FROM engines CROSS JOIN LATERAL (
                SELECT id FROM photos p
                WHERE p.event_id = e.id AND p.engine = engines.engine
                  AND p.processing_status IN ('analyzed', 'done')
                  AND (p.reindexing_since IS NULL
                       OR p.reindexing_since <= now() - make_interval(secs => :patience_seconds))
                ORDER BY p.id DESC LIMIT :limit) AS found
            WHERE engines.engine <> :engine
            ORDER BY found.id DESC LIMIT :limit) AS of_event
        ORDER BY e.place, of_event.id DESC LIMIT :limit
    )
    UPDATE photos SET reindexing_since = clock_timestamp()
    WHERE id IN (SELECT id FROM stale) AND engine <> :engine
    RETURNING id, event_id
    """
)


async def forget_sent_photos(connection: AsyncConnection) -> None:
    """Let the photos be taken again whose messages are lost."""
    await connection.execute(
        text("UPDATE photos SET reindexing_since = NULL WHERE reindexing_since IS NOT NULL")
    )


async def just_before(connection: AsyncConnection) -> datetime:
    """Return the moment a second ago, by the database's clock."""
    moment: datetime = await connection.scalar(text("SELECT now() - interval '1 second'"))
    return moment


async def take_unmatched_photos(
    connection: AsyncConnection, engine: str, *, before: datetime, limit: int
) -> Sequence[tuple[int, int]]:
    """Return (event id, photo id) of photos that this engine analysed and nobody has matched.

    Of those whose message was sent before that moment, the oldest; they count as sent now.
    """
    rows = await connection.execute(
        text(
            """
            UPDATE photos SET enqueued_at = clock_timestamp() WHERE id IN (
                SELECT id FROM photos
                WHERE processing_status = 'analyzed' AND engine = :engine
                  AND enqueued_at < :before
                ORDER BY enqueued_at LIMIT :limit FOR UPDATE SKIP LOCKED)
            RETURNING event_id, id
            """
        ),
        {"engine": engine, "before": before, "limit": limit},
    )
    return [(row.event_id, row.id) for row in rows]

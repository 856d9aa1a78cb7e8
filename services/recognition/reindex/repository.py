"""SQL of what is to be indexed again. "Stale" is what another engine than the present one has.

Only in events that have not expired; failed photos stay failed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_LOCK_ID = 0x46494E48

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
    """A selfie that nobody has indexed any more."""

    id: int
    user_id: int


async def lead(connection: AsyncConnection) -> bool:
    """Whether no other replica feeds; it stays so until the transaction ends."""
    return bool(await connection.scalar(text(f"SELECT pg_try_advisory_xact_lock({_LOCK_ID})")))


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


async def photos_in_hand(connection: AsyncConnection, *, patience_seconds: float) -> int:
    """Return how many photos wait for their analysis or are in it, new and stale ones."""
    return int(
        await connection.scalar(
            text(
                """
                SELECT (SELECT count(*) FROM photos WHERE processing_status = 'queued')
                     + (SELECT count(*) FROM photos
                        WHERE reindexing_since > now() - make_interval(secs => :patience_seconds))
                """
            ),
            {"patience_seconds": patience_seconds},
        )
        or 0
    )


async def selfies_in_hand(connection: AsyncConnection, event_id: int, engine: str) -> int:
    """Return how many of the event's selfies wait to be indexed and matched by this engine."""
    return int(
        await connection.scalar(
            text(
                """
                SELECT count(*) FROM memberships m JOIN selfies s ON s.user_id = m.user_id
                LEFT JOIN selfie_indexes i ON i.selfie_id = s.id AND i.event_id = m.event_id
                WHERE m.event_id = :event_id
                  AND (i.status IS NULL OR i.status = 'claimed'
                       OR i.status = 'indexed' AND i.engine = :engine)
                """
            ),
            {"event_id": event_id, "engine": engine},
        )
        or 0
    )


async def take_selfies(
    connection: AsyncConnection, event_id: int, engine: str, *, limit: int
) -> list[StaleSelfie]:
    """Forget how up to `limit` selfies were indexed: they wait as new ones do.

    What another engine found when they were checked is of no use any more, and goes, too.
    """
    rows = await connection.execute(
        text(
            """
            WITH gone AS (
                DELETE FROM selfie_indexes WHERE (selfie_id, event_id) IN (
                    SELECT selfie_id, event_id FROM selfie_indexes
                    WHERE event_id = :event_id AND engine <> :engine
                    ORDER BY selfie_id LIMIT :limit FOR UPDATE SKIP LOCKED)
                RETURNING selfie_id)
            UPDATE selfies SET enqueued_at = clock_timestamp(),
                embedding = CASE WHEN engine = :engine THEN embedding END,
                engine = CASE WHEN engine = :engine THEN engine END
            WHERE id IN (SELECT selfie_id FROM gone)
            RETURNING id, user_id
            """
        ),
        {"event_id": event_id, "engine": engine, "limit": limit},
    )
    return [StaleSelfie(row.id, row.user_id) for row in rows]


async def take_photos(
    connection: AsyncConnection,
    event_id: int,
    engine: str,
    *,
    limit: int,
    patience_seconds: float,
) -> list[int]:
    """Mark up to `limit` stale photos of the event as being on their way; the newest first.

    Those that are on their way for longer than the patience are taken once more.
    """
    return list(
        await connection.scalars(
            _TAKE_PHOTOS,
            {
                "event_id": event_id,
                "engine": engine,
                "limit": limit,
                "patience_seconds": patience_seconds,
            },
        )
    )


# The engines are found by leaping from one to the next in the index, and the photos of each
# are read in its order: neither costs more with the photos that are left.
_TAKE_PHOTOS = text(
    """
    WITH RECURSIVE engines AS (
        (SELECT engine FROM photos
         WHERE event_id = :event_id AND engine IS NOT NULL ORDER BY engine LIMIT 1)
        UNION ALL
        SELECT (SELECT p.engine FROM photos p
                WHERE p.event_id = :event_id AND p.engine > engines.engine
                ORDER BY p.engine LIMIT 1)
        FROM engines WHERE engines.engine IS NOT NULL
    ), stale AS (
        SELECT found.id FROM engines CROSS JOIN LATERAL (
            SELECT id FROM photos p
            WHERE p.event_id = :event_id AND p.engine = engines.engine
              AND p.processing_status IN ('analyzed', 'done')
              AND (p.reindexing_since IS NULL
                   OR p.reindexing_since <= now() - make_interval(secs => :patience_seconds))
            ORDER BY p.id DESC LIMIT :limit) AS found
        WHERE engines.engine <> :engine
        ORDER BY found.id DESC LIMIT :limit
    )
    UPDATE photos SET reindexing_since = clock_timestamp()
    WHERE id IN (SELECT id FROM stale) AND engine <> :engine
    RETURNING id
    """
)


async def forget_sent_photos(connection: AsyncConnection) -> None:
    """Let the photos be taken again whose messages are lost."""
    await connection.execute(
        text("UPDATE photos SET reindexing_since = NULL WHERE reindexing_since IS NOT NULL")
    )


async def take_unmatched_photos(
    connection: AsyncConnection, engine: str, *, limit: int
) -> Sequence[tuple[int, int]]:
    """Return (event id, photo id) of photos that this engine analysed and nobody has matched."""
    rows = await connection.execute(
        text(
            """
            UPDATE photos SET enqueued_at = clock_timestamp() WHERE id IN (
                SELECT id FROM photos
                WHERE processing_status = 'analyzed' AND engine = :engine
                  AND enqueued_at < now() - interval '1 second'
                ORDER BY enqueued_at LIMIT :limit FOR UPDATE SKIP LOCKED)
            RETURNING event_id, id
            """
        ),
        {"engine": engine, "limit": limit},
    )
    return [(row.event_id, row.id) for row in rows]

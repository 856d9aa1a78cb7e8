"""SQL of matches: how alike selfies and photos are, and whom photos show by that."""

from collections.abc import Sequence

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.rights.counted_matches import UNCERTAIN_BAND, guest_photos, threshold_of
from services.recognition.engine.face_engine import CALIBRATED_SIMILARITY
from services.recognition.matching.compare import Match


async def threshold(connection: AsyncConnection, event_id: int) -> float:
    """Return the similarity from which two faces of the event are one person's."""
    found = await connection.scalar(select(threshold_of(event_id)))
    # Of an event that was deleted nothing is kept, whatever is compared.
    return float(CALIBRATED_SIMILARITY if found is None else found)


async def least_similarity(connection: AsyncConnection, event_id: int) -> float:
    """Return the similarity from which a match is kept in the event."""
    return await threshold(connection, event_id) - UNCERTAIN_BAND


async def guests_in_photos(
    connection: AsyncConnection, event_id: int, photo_ids: Sequence[int]
) -> dict[int, set[int]]:
    """Return the ids of the guests that each of these photos of the event shows."""
    shown = guest_photos(event_id, photo_ids=list(photo_ids))
    guests: dict[int, set[int]] = {}
    for row in await connection.execute(select(shown.c.photo_id, shown.c.user_id)):
        guests.setdefault(row.photo_id, set()).add(row.user_id)
    return guests


_UPSERT_MATCHES = text(
    """
    WITH s AS MATERIALIZED (
        SELECT id FROM selfies WHERE id = ANY(CAST(:selfies AS bigint[]))
        ORDER BY id FOR KEY SHARE
    ), p AS MATERIALIZED (
        SELECT id FROM photos WHERE id = ANY(CAST(:photos AS bigint[]))
        ORDER BY id FOR KEY SHARE)
    INSERT INTO matches AS m (user_id, event_id, photo_id, selfie_id, face_id, similarity)
    SELECT v.user_id, :event_id, v.photo_id, v.selfie_id, v.face_id, v.similarity
    FROM unnest(
        CAST(:users AS bigint[]), CAST(:photos AS bigint[]), CAST(:selfies AS bigint[]),
        CAST(:faces AS bigint[]), CAST(:similarities AS real[])
    ) AS v (user_id, photo_id, selfie_id, face_id, similarity)
    JOIN s ON s.id = v.selfie_id
    JOIN p ON p.id = v.photo_id
    -- Those of another engine may have gone since they were compared.
    JOIN faces f ON f.id = v.face_id
    ORDER BY v.selfie_id, v.photo_id
    ON CONFLICT (selfie_id, photo_id) DO UPDATE
    SET face_id = excluded.face_id, similarity = excluded.similarity
    WHERE (m.face_id, m.similarity) IS DISTINCT FROM (excluded.face_id, excluded.similarity)
    """
)


async def upsert(connection: AsyncConnection, event_id: int, found: Sequence[Match]) -> None:
    """Write matches; those of a selfie or photo deleted meanwhile are left out.

    The rows locked by KEY SHARE make a deletion wait and then remove what was written, or
    be seen here: either way nothing of a deleted selfie stays. They are locked in the order of
    their ids, as whoever deletes many of them does.
    """
    if not found:
        return
    await connection.execute(
        _UPSERT_MATCHES,
        {
            "event_id": event_id,
            "users": [match.user_id for match in found],
            "photos": [match.photo_id for match in found],
            "selfies": [match.selfie_id for match in found],
            "faces": [match.face_id for match in found],
            "similarities": [match.similarity for match in found],
        },
    )


_DELETE_OUTDATED = text(
    """
    DELETE FROM matches m
    USING photos p, selfie_indexes i
    WHERE p.id = m.photo_id AND i.selfie_id = m.selfie_id AND i.event_id = m.event_id
      AND i.engine = p.engine
      -- A photo that was analysed during the selfie's scan may not have been compared with it
      -- yet, nor a selfie that was indexed after the photo's comparison had read the selfies.
      AND (m.photo_id = ANY(CAST(:photos AS bigint[])) AND i.status = 'done'
           OR m.selfie_id = ANY(CAST(:selfies AS bigint[])) AND p.processing_status = 'done'
              AND i.status IN ('indexed', 'done'))
      AND m.event_id = :event_id
      AND NOT EXISTS (SELECT FROM faces f WHERE f.id = m.face_id)
    RETURNING m.photo_id, m.user_id
    """
)


async def delete_outdated(
    connection: AsyncConnection,
    event_id: int,
    *,
    photo_ids: Sequence[int] = (),
    selfie_ids: Sequence[int] = (),
) -> dict[int, set[int]]:
    """Delete matches that another engine found, and this one did not find again.

    Such a match is told by its face: the analysis by this engine has deleted it, while a match
    that was found again has a new face. A match stands until its selfie and its photo have been
    compared by this engine: it is left to whichever of the two is finished later.
    Returns, by photo, the guests who lost a match.
    """
    gone: dict[int, set[int]] = {}
    values = {"photos": list(photo_ids), "selfies": list(selfie_ids), "event_id": event_id}
    for row in await connection.execute(_DELETE_OUTDATED, values):
        gone.setdefault(row.photo_id, set()).add(row.user_id)
    return gone


_HOLD_UNFINISHED_PHOTOS = text(
    """
    SELECT FROM photos WHERE id IN (
        SELECT p.id FROM selfie_indexes i
        JOIN matches m ON m.selfie_id = i.selfie_id AND m.event_id = i.event_id
        JOIN photos p ON p.id = m.photo_id
        WHERE i.event_id = :event_id AND i.selfie_id = ANY(CAST(:selfies AS bigint[]))
          AND p.finished_at IS NOT NULL
          AND (p.processing_status <> 'done' OR p.engine IS DISTINCT FROM i.engine))
    ORDER BY id FOR SHARE
    """
)


async def hold_unfinished_photos(
    connection: AsyncConnection, event_id: int, selfie_ids: Sequence[int]
) -> None:
    """Keep photos of these selfies' matches from being finished before this transaction ends.

    Those that guests know already and that are to be compared anew, or analysed: the match step
    of such a photo then sees that the selfies are done. One that is being finished is waited for.
    """
    await connection.execute(
        _HOLD_UNFINISHED_PHOTOS, {"event_id": event_id, "selfies": list(selfie_ids)}
    )


_DELETE_BELOW = text(
    """
    WITH chunk AS (
        SELECT id FROM photos WHERE event_id = :event_id AND id > :after ORDER BY id LIMIT :photos
    ), gone AS (
        DELETE FROM matches WHERE photo_id IN (SELECT id FROM chunk) AND similarity < :least)
    SELECT max(id) FROM chunk
    """
)


async def delete_below(
    connection: AsyncConnection, event_id: int, least: float, *, after: int, photos: int
) -> int | None:
    """Remove what a lower threshold had let through, of so many photos after that one.

    Returns the last photo that was looked at, None behind the event's last one.
    """
    last: int | None = await connection.scalar(
        _DELETE_BELOW, {"event_id": event_id, "least": least, "after": after, "photos": photos}
    )
    return last

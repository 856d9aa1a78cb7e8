"""SQL of matches: how alike selfies and photos are, and whom photos show by that."""

from collections.abc import Sequence

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.rights.counted_matches import UNCERTAIN_BAND, guest_photos, threshold_of
from services.recognition.engine.face_engine import CALIBRATED_SIMILARITY
from services.recognition.matching.compare import Match
from services.recognition.matching.uncertain import Floors, doubtful_below


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
        ORDER BY id FOR KEY SHARE
    ), g AS MATERIALIZED (
        SELECT user_id FROM memberships
        WHERE user_id = ANY(CAST(:users AS bigint[])) AND event_id = :event_id
        ORDER BY user_id FOR KEY SHARE)
    INSERT INTO matches AS m (user_id, event_id, photo_id, selfie_id, face_id, similarity)
    SELECT v.user_id, :event_id, v.photo_id, v.selfie_id, v.face_id, v.similarity
    FROM unnest(
        CAST(:users AS bigint[]), CAST(:photos AS bigint[]), CAST(:selfies AS bigint[]),
        CAST(:faces AS bigint[]), CAST(:similarities AS real[])
    ) AS v (user_id, photo_id, selfie_id, face_id, similarity)
    JOIN s ON s.id = v.selfie_id
    JOIN p ON p.id = v.photo_id
    -- A guest may have been taken out of the event.
    JOIN g ON g.user_id = v.user_id
    -- Those of another engine may have gone since they were compared.
    JOIN faces f ON f.id = v.face_id
    ORDER BY v.selfie_id, v.photo_id
    ON CONFLICT (selfie_id, photo_id) DO UPDATE
    SET face_id = excluded.face_id, similarity = excluded.similarity
    WHERE (m.face_id, m.similarity) IS DISTINCT FROM (excluded.face_id, excluded.similarity)
    """
)


async def upsert(connection: AsyncConnection, event_id: int, found: Sequence[Match]) -> None:
    """Write matches; those of a selfie, photo or guest that went meanwhile are left out.

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


_HOLD_SHARED = text("SELECT FROM matching_settings WHERE id = 1 FOR SHARE")
_HOLD_EVENT = text("SELECT FROM events WHERE id = :event_id FOR SHARE")
_UNCERTAIN = """
    SELECT m.photo_id, m.similarity FROM matches m
    WHERE m.selfie_id = s.id AND m.event_id = :event_id AND m.similarity < :below
      -- What somebody said of is asked of nobody any more, and shown with its face.
      AND NOT EXISTS (
          SELECT FROM match_overrides o
          WHERE o.user_id = m.user_id AND o.event_id = m.event_id AND o.photo_id = m.photo_id)
    ORDER BY m.similarity DESC, m.photo_id
"""
_DROP_SURPLUS = text(
    f"""
    DELETE FROM matches USING (
        SELECT s.id AS selfie_id, surplus.photo_id
        FROM unnest(CAST(:selfies AS bigint[])) AS s (id)
        CROSS JOIN LATERAL ({_UNCERTAIN} OFFSET :kept) AS surplus
    ) AS surplus
    WHERE matches.selfie_id = surplus.selfie_id AND matches.photo_id = surplus.photo_id
    """  # noqa: S608 - a text of ours
)
_FLOORS = text(
    f"""
    SELECT s.id AS selfie_id, last.similarity
    FROM unnest(CAST(:selfies AS bigint[])) AS s (id)
    CROSS JOIN LATERAL ({_UNCERTAIN} OFFSET :kept - 1 LIMIT 1) AS last
    """  # noqa: S608 - a text of ours
)


async def drop_surplus(
    connection: AsyncConnection, event_id: int, selfie_ids: Sequence[int], *, kept: int
) -> Floors:
    """Delete doubtful matches that are not among the best of their selfie's.

    Returns the floors of the selfies that have so many left. The threshold is held until the
    transaction ends: a lower one that comes then finds again what has gone.
    """
    await connection.execute(_HOLD_SHARED)
    await connection.execute(_HOLD_EVENT, {"event_id": event_id})
    below = doubtful_below(await threshold(connection, event_id))
    values = {
        "event_id": event_id,
        "selfies": list(selfie_ids),
        "below": below,
        "kept": kept,
    }
    await connection.execute(_DROP_SURPLUS, values)
    rows = await connection.execute(_FLOORS, values)
    return Floors(below, {row.selfie_id: row.similarity for row in rows})


#: By their primary key: a condition on either of both sides would read every match there is, of
#: all events, for each selfie that is finished (46 ms, and up to 0.4 s, at 300 guests).
_OUTDATED = """
    DELETE FROM matches m
    USING photos p, selfie_indexes i
    WHERE {chosen} AND p.id = m.photo_id AND i.selfie_id = m.selfie_id AND i.event_id = m.event_id
      AND i.engine = p.engine AND m.event_id = :event_id
      AND NOT EXISTS (SELECT FROM faces f WHERE f.id = m.face_id)
    RETURNING m.photo_id, m.user_id
"""
# A photo that was analysed during the selfie's scan may not have been compared with it yet, nor a
# selfie that was indexed after the photo's comparison had read the selfies.
_DELETE_OUTDATED_OF_PHOTOS = text(
    _OUTDATED.format(chosen="m.photo_id = ANY(CAST(:ids AS bigint[])) AND i.status = 'done'")
)
_DELETE_OUTDATED_OF_SELFIES = text(
    _OUTDATED.format(
        chosen="m.selfie_id = ANY(CAST(:ids AS bigint[])) AND p.processing_status = 'done'"
        " AND i.status IN ('indexed', 'done')"
    )
)


async def delete_outdated_of_photos(
    connection: AsyncConnection, event_id: int, photo_ids: Sequence[int]
) -> dict[int, set[int]]:
    """Delete these photos' matches that another engine found, and this one did not find again.

    Such a match is told by its face: the analysis by this engine has deleted it, while a match
    that was found again has a new face. A match stands until its selfie and its photo have been
    compared by this engine: it is left to whichever of the two is finished later.
    Returns, by photo, the guests who lost a match.
    """
    gone: dict[int, set[int]] = {}
    values = {"ids": list(photo_ids), "event_id": event_id}
    for row in await connection.execute(_DELETE_OUTDATED_OF_PHOTOS, values):
        gone.setdefault(row.photo_id, set()).add(row.user_id)
    return gone


async def delete_outdated_of_selfies(
    connection: AsyncConnection, event_id: int, selfie_ids: Sequence[int]
) -> None:
    """Delete the same of these selfies' matches."""
    values = {"ids": list(selfie_ids), "event_id": event_id}
    await connection.execute(_DELETE_OUTDATED_OF_SELFIES, values)


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

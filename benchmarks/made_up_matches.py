"""Matches of an event's photos and selfies: each photo shows some guests, of all alike."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

#: Each guest is in photos all over the event.
_MATCHES = text("""
INSERT INTO matches (selfie_id, photo_id, user_id, event_id, face_id, similarity)
SELECT s.id, p.id, s.user_id, p.event_id, p.id, 100 - (100 - CAST(:least AS float8)) * random()
FROM (SELECT id, event_id, row_number() OVER (ORDER BY id) AS number
      FROM photos WHERE event_id = :event) AS p
CROSS JOIN generate_series(0, :matches - 1) AS n
JOIN (SELECT s.*, row_number() OVER (ORDER BY s.id) - 1 AS number
      FROM selfies s JOIN memberships m USING (user_id) WHERE m.event_id = :event) AS s
  ON s.number = (p.number * 7 + n * 13) % :guests
""")


async def store_matches(
    connection: AsyncConnection,
    event_id: int,
    *,
    guests: int,
    per_photo: int,
    least_similarity: float,
) -> None:
    """Store so many for each photo of the event, which has so many guests with a selfie."""
    await connection.execute(
        _MATCHES,
        {
            "event": event_id,
            "guests": guests,
            "matches": per_photo,
            "least": least_similarity,
        },
    )

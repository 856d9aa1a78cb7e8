"""The faces that were found for the guests of an event, best first."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Subquery, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import photos
from libs.common.rights.counted_matches import guest_photos


@dataclass(frozen=True, slots=True)
class FoundPhoto:
    """A photo of a guest, how alike their best face in it is, and how many photos they have."""

    user_id: int
    photo_id: int
    similarity: float
    photos: int


async def groups(
    connection: AsyncConnection, event_id: int, *, photos_each: int, limit: int
) -> list[FoundPhoto]:
    """Return each guest's best photos; those in most photos come first, up to `limit` in all."""
    best = _best(guest_photos(event_id))
    ranked = select(
        best,
        func.row_number()
        .over(partition_by=best.c.user_id, order_by=(best.c.similarity.desc(), best.c.photo_id))
        .label("place"),
        func.count().over(partition_by=best.c.user_id).label("photos"),
    ).subquery("ranked")
    rows = await connection.execute(
        select(ranked.c.user_id, ranked.c.photo_id, ranked.c.similarity, ranked.c.photos)
        .where(ranked.c.place <= photos_each)
        .order_by(ranked.c.photos.desc(), ranked.c.user_id, ranked.c.place)
        .limit(limit)
    )
    return [FoundPhoto(**row._asdict()) for row in rows.all()]


async def group_of(
    connection: AsyncConnection, event_id: int, user_id: int, *, limit: int
) -> list[tuple[int, float]]:
    """Return (photo id, similarity) of a guest's best photos."""
    best = _best(guest_photos(event_id, user_id=user_id))
    rows = await connection.execute(
        select(best.c.photo_id, best.c.similarity)
        .order_by(best.c.similarity.desc(), best.c.photo_id)
        .limit(limit)
    )
    return [(row.photo_id, row.similarity) for row in rows.all()]


async def filenames(connection: AsyncConnection, photo_ids: Sequence[int]) -> dict[int, str]:
    """Return the stored names of these photos."""
    rows = await connection.execute(
        select(photos.c.id, photos.c.filename).where(photos.c.id == func.any(list(photo_ids)))
    )
    return {row.id: row.filename for row in rows}


def _best(shown: Subquery) -> Subquery:
    """One row for each guest and photo; those who were added without a face like them have none."""
    return (
        select(shown.c.user_id, shown.c.photo_id, func.max(shown.c.similarity).label("similarity"))
        .where(shown.c.similarity.is_not(None))
        .group_by(shown.c.user_id, shown.c.photo_id)
        .subquery("best")
    )

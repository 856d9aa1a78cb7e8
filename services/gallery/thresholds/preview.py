"""What another threshold would change, before anybody is shown anything else."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import matches, memberships
from libs.common.rights.counted_matches import (
    ADDED,
    NOT_ME,
    NOT_THEM,
    UNCERTAIN_BAND,
    threshold_of,
    was_said,
)


@dataclass(frozen=True, slots=True)
class ThresholdPreview:
    """How many photos of guests are shown now, and how many would move.

    One that shows two guests counts twice; what somebody said of stays where it is.
    """

    shown: int
    #: From "is this you?" to the guest's photos.
    gained: int
    #: From the guest's photos to "is this you?".
    doubted: int
    #: From the guest's photos to nowhere.
    lost: int


async def preview_threshold(
    connection: AsyncConnection, event_id: int, value: float
) -> ThresholdPreview:
    """Count what would move in the event with this threshold.

    Matches are kept down to `UNCERTAIN_BAND` below the present one: of a threshold below that, what
    it would gain in all is found by the matching alone.
    """
    best = func.max(matches.c.similarity).label("similarity")
    guests = select(memberships.c.user_id).where(memberships.c.event_id == event_id)
    pairs = (
        select(matches.c.user_id, matches.c.photo_id, best)
        .where(
            matches.c.event_id == event_id,
            # Matches are found by guest or by photo, not by event.
            matches.c.user_id.in_(guests),
            ~was_said(NOT_ME, NOT_THEM, ADDED),
        )
        .group_by(matches.c.user_id, matches.c.photo_id)
        .subquery("pairs")
    )
    now = threshold_of(event_id)
    likeness = pairs.c.similarity
    is_shown, would_be = likeness >= now, likeness >= value
    would_be_doubted = likeness >= value - UNCERTAIN_BAND
    row = (
        await connection.execute(
            select(
                func.count().filter(is_shown),
                func.count().filter(~is_shown & would_be),
                func.count().filter(is_shown & ~would_be & would_be_doubted),
                func.count().filter(is_shown & ~would_be & ~would_be_doubted),
            ).select_from(pairs)
        )
    ).one()
    return ThresholdPreview(*row)

"""Which photos show which guest: the one rule that turns matches into what people see.

A guest is in a photo when a selfie of theirs is at least as alike as the event's threshold
asks, or the photographer said so; never when the guest said "not me". Matches down to
`UNCERTAIN_BAND` below the threshold are kept, for those who ask for them.
"""

from sqlalchemy import ColumnElement, ScalarSelect, Subquery, func, select, union_all

from libs.common.tables import events, match_overrides, matches, matching_settings

#: A match is kept from so far below the threshold (0..100).
UNCERTAIN_BAND = 10.0

NOT_ME = "not_me"
ADDED = "added"


def threshold_of(event_id: int | ColumnElement[int]) -> ScalarSelect[float]:
    """The similarity (0..100) from which a face is a guest's in this event."""
    return (
        select(func.coalesce(events.c.match_threshold, matching_settings.c.threshold))
        .select_from(events)
        .join(matching_settings, matching_settings.c.id == 1)
        .where(events.c.id == event_id)
        .scalar_subquery()
    )


def was_denied() -> ColumnElement[bool]:
    """Whether the guest of a row of `matches` said that it is not them."""
    return (
        select(match_overrides.c.photo_id)
        .where(
            match_overrides.c.user_id == matches.c.user_id,
            match_overrides.c.event_id == matches.c.event_id,
            match_overrides.c.photo_id == matches.c.photo_id,
            match_overrides.c.verdict == NOT_ME,
        )
        .correlate(matches)
        .exists()
    )


def guest_photos(
    event_id: int, *, user_id: int | None = None, photo_ids: list[int] | None = None
) -> Subquery:
    """Rows (user_id, photo_id) of an event, of one guest or of some photos; some appear twice.

    Answered by covering indexes for one guest.
    """
    found = select(matches.c.user_id, matches.c.photo_id).where(
        matches.c.event_id == event_id,
        matches.c.similarity >= threshold_of(event_id),
        ~was_denied(),
    )
    added = select(match_overrides.c.user_id, match_overrides.c.photo_id).where(
        match_overrides.c.event_id == event_id, match_overrides.c.verdict == ADDED
    )
    if user_id is not None:
        found = found.where(matches.c.user_id == user_id)
        added = added.where(match_overrides.c.user_id == user_id)
    if photo_ids is not None:
        found = found.where(matches.c.photo_id == func.any(photo_ids))
        added = added.where(match_overrides.c.photo_id == func.any(photo_ids))
    return union_all(found, added).subquery("shown")

"""Which matches count as a guest's photos: the one rule that turns matches into what people see.

A guest is in a photo when a selfie of theirs is at least as alike as the event's threshold
asks, or the photographer or they themselves said so; never when the guest said "not me", or the
photographer that it is not them.
Matches down to `UNCERTAIN_BAND` below the threshold are kept, for those who ask for them.
"""

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    Subquery,
    and_,
    func,
    or_,
    select,
    union_all,
)

from libs.common.database.tables import (
    events,
    match_overrides,
    matches,
    matching_settings,
    memberships,
    photos,
)

#: A match is kept from so far below the threshold (0..100).
UNCERTAIN_BAND = 10.0

NOT_ME = "not_me"
NOT_THEM = "not_them"
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


def is_alike(
    event_id: int | ColumnElement[int], similarity: ColumnElement[float] = matches.c.similarity
) -> ColumnElement[bool]:
    """Whether a face is like a guest's selfie by the event's threshold."""
    return similarity >= threshold_of(event_id)


def is_nearly_alike(
    event_id: int, similarity: ColumnElement[float] = matches.c.similarity
) -> ColumnElement[bool]:
    """Whether a face is so much like a guest's selfie that it may be theirs."""
    return similarity >= threshold_of(event_id) - UNCERTAIN_BAND


def shows_guest(event_id: int) -> ColumnElement[bool]:
    """Whether the photo of a row of `matches` shows its guest."""
    return or_(and_(is_alike(event_id), ~was_denied()), was_said(ADDED))


def was_said(*verdicts: str) -> ColumnElement[bool]:
    """Whether one of these was said of the guest and the photo of a row of `matches`."""
    return (
        select(match_overrides.c.photo_id)
        .where(_is_same_guest_and_photo(), match_overrides.c.verdict.in_(verdicts))
        .correlate(matches)
        .exists()
    )


def was_denied() -> ColumnElement[bool]:
    """Whether the guest of a row of `matches`, or the photographer, said that it is not them."""
    return was_said(NOT_ME, NOT_THEM)


def photo_shows(user_id: int) -> ColumnElement[bool]:
    """Whether the photo of a row of `photos` shows the guest."""
    found = select(matches.c.photo_id).where(
        matches.c.user_id == user_id,
        matches.c.event_id == photos.c.event_id,
        matches.c.photo_id == photos.c.id,
        is_alike(matches.c.event_id),
        ~was_denied(),
    )
    added = select(match_overrides.c.photo_id).where(
        match_overrides.c.user_id == user_id,
        match_overrides.c.event_id == photos.c.event_id,
        match_overrides.c.photo_id == photos.c.id,
        match_overrides.c.verdict == ADDED,
    )
    return or_(found.correlate(photos).exists(), added.correlate(photos).exists())


def guest_photos(
    event_id: int | ColumnElement[int],
    *,
    user_id: int | ColumnElement[int] | None = None,
    photo_ids: list[int] | None = None,
) -> Subquery:
    """Rows (user_id, photo_id, similarity) of an event, a guest, or photos; some appear twice.

    The similarity is NULL where somebody was added whom no face is like. Answered by covering
    indexes for one guest or for all of them.
    """
    found = select(matches.c.user_id, matches.c.photo_id, matches.c.similarity).where(
        matches.c.event_id == event_id,
        is_alike(event_id),
        ~was_denied(),
    )
    nearly = (
        select(func.max(matches.c.similarity))
        .where(_is_same_guest_and_photo())
        .correlate(match_overrides)
        .scalar_subquery()
    )
    added = select(
        match_overrides.c.user_id, match_overrides.c.photo_id, nearly.label("similarity")
    ).where(match_overrides.c.event_id == event_id, match_overrides.c.verdict == ADDED)
    if user_id is not None:
        found = found.where(matches.c.user_id == user_id)
        added = added.where(match_overrides.c.user_id == user_id)
    if photo_ids is not None:
        found = found.where(matches.c.photo_id == func.any(photo_ids))
        added = added.where(match_overrides.c.photo_id == func.any(photo_ids))
    if user_id is None and photo_ids is None:
        # Matches are found by guest or by photo, not by event.
        guests = select(memberships.c.user_id).where(memberships.c.event_id == event_id)
        found = found.where(matches.c.user_id.in_(guests))
    return union_all(found, added).subquery("shown")


def uncertain_photos(event_id: int, *, user_id: int) -> Select[int, float]:
    """Rows (photo_id, similarity): who may be the guest, and of whom nothing was said yet."""
    best = func.max(matches.c.similarity)
    return (
        select(matches.c.photo_id, best.label("similarity"))
        .where(
            matches.c.user_id == user_id,
            matches.c.event_id == event_id,
            ~was_said(NOT_ME, NOT_THEM, ADDED),
        )
        .group_by(matches.c.photo_id)
        .having(is_nearly_alike(event_id, best), ~is_alike(event_id, best))
    )


def _is_same_guest_and_photo() -> ColumnElement[bool]:
    """The rows of `matches` and `match_overrides` are about one guest and one photo."""
    return and_(
        match_overrides.c.user_id == matches.c.user_id,
        match_overrides.c.event_id == matches.c.event_id,
        match_overrides.c.photo_id == matches.c.photo_id,
    )

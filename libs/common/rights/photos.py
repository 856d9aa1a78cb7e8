"""Who may see a photo: one rule for lists, bytes, faces, verdicts and live streams.

An admin sees all; the event's photographer, and whoever uploaded the photo, theirs. A guest of the
event sees what is shown to all of its guests, and the photos that they themselves are in
(`counted_matches`): a hidden photo is seen by those whom it shows, and by no other guest.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, exists, false, func, literal, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, memberships, photos
from libs.common.rights.counted_matches import photo_shows
from libs.common.web.auth import Principal, Role


def is_shown_to_all(*, show_in_general: bool | None, selected_only: bool) -> bool:
    """Whether every guest of the event sees a photo.

    Where the photographer shows any photo of the event, or set it so (`selected_only`), only such
    are shown; else all that are not hidden.
    """
    return not selected_only if show_in_general is None else show_in_general


def shown_to_all(*, selected_only: bool | ColumnElement[bool]) -> ColumnElement[bool]:
    """`is_shown_to_all` of a row of `photos`."""
    shown = photos.c.show_in_general
    if isinstance(selected_only, bool):
        # As the planner knows the index's own condition.
        return shown.is_(true()) if selected_only else shown.is_not(false())
    return func.coalesce(shown, ~selected_only)


def selects(event_id: int | ColumnElement[int]) -> ColumnElement[bool]:
    """Whether any photo of the event is shown by its photographer, or none is unless it is."""
    any_photo = photos.alias("any_photo")
    any_event = events.alias("any_event")
    return or_(
        exists(
            select(literal(1)).where(any_photo.c.event_id == event_id, any_photo.c.show_in_general)
        ),
        exists(select(literal(1)).where(any_event.c.id == event_id, any_event.c.selected_only)),
    )


def may_see(principal: Principal) -> ColumnElement[bool]:
    """Whether the caller may see the photo of a row of `photos` joined with its event."""
    if principal.role is Role.ADMIN:
        return true()
    if principal.role is Role.PHOTOGRAPHER:
        return or_(
            events.c.photographer_id == principal.user_id,
            photos.c.photographer_id == principal.user_id,
        )
    has_joined = (
        select(literal(1))
        .where(
            memberships.c.user_id == principal.user_id,
            memberships.c.event_id == photos.c.event_id,
        )
        .correlate(photos)
        .exists()
    )
    is_general = shown_to_all(selected_only=selects(photos.c.event_id))
    return has_joined & or_(is_general, photo_shows(principal.user_id))


async def photos_shown_to_all(
    connection: AsyncConnection, photo_ids: Sequence[int]
) -> frozenset[int]:
    """Return those of the photos that every guest of their event sees."""
    found: Iterable[int] = await connection.scalars(
        select(photos.c.id).where(
            photos.c.id == func.any(list(photo_ids)),
            shown_to_all(selected_only=selects(photos.c.event_id)),
        )
    )
    return frozenset(found)

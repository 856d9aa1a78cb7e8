"""Change how alike a face must be to be shown to a guest, and match again by that."""

from collections.abc import Iterable

from libs.common.database.audit import Action, record
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import InvalidInput, NotFound
from libs.common.messaging.messages import MatchChanged, RematchRequested
from libs.common.web.auth import Principal
from services.gallery.events.access import require_visible_event
from services.gallery.thresholds import repository as thresholds
from services.gallery.thresholds.repository import EventThreshold

#: By the fit in docs/design/faces.md every twelfth stranger's face is taken for a guest's at 60,
#: and every third is near enough to be kept: rows that grow with guests times faces.
LOWEST = 60.0
HIGHEST = 100.0


async def set_shared_threshold(value: float, *, actor_id: int, unit: UnitOfWork) -> float:
    """Return the threshold of all events without their own; it is clamped to 60..100."""
    clamped = min(max(value, LOWEST), HIGHEST)
    if await thresholds.set_shared_threshold(unit.connection, clamped):
        await record(
            unit.connection,
            Action.THRESHOLD_CHANGED,
            actor_id=actor_id,
            details={"threshold": clamped},
        )
        _match_again(await thresholds.open_events_without_own(unit.connection), unit)
    return clamped


async def set_event_threshold(
    event_id: int, value: float | None, *, principal: Principal, unit: UnitOfWork
) -> EventThreshold:
    """Give the event its own threshold, or with None the shared one again.

    Raises NotFound, also for others' events, and InvalidInput.
    """
    await require_visible_event(unit.connection, principal, event_id)
    if value is not None and not LOWEST <= value <= HIGHEST:
        msg = (
            f"A threshold is between {LOWEST:g} and {HIGHEST:g}; 85 is usual, and a lower"
            " one shows guests more photos of other people."
        )
        raise InvalidInput(msg)
    # So that a change of the shared one at this moment sees this event, or is seen here.
    await thresholds.lock_shared_threshold(unit.connection)
    before = await thresholds.event_threshold(unit.connection, event_id)
    await thresholds.set_event_threshold(unit.connection, event_id, value)
    after = await thresholds.event_threshold(unit.connection, event_id)
    if before is None or after is None:
        raise NotFound("Event", event_id)
    if before != after:
        await record(
            unit.connection,
            Action.THRESHOLD_CHANGED,
            actor_id=principal.user_id,
            event_id=event_id,
            details={"threshold": value},
        )
    if before.value != after.value:
        _match_again([event_id], unit)
    return after


def _match_again(event_ids: Iterable[int], unit: UnitOfWork) -> None:
    for event_id in event_ids:
        # What is shown follows the threshold at once; what was not kept is found by the rematch.
        unit.publish(MatchChanged(event_id=event_id))
        unit.publish(RematchRequested(event_id=event_id))

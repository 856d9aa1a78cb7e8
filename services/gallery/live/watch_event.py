"""Who may follow an event live, and as what."""

from libs.common.database.database import Database
from libs.common.web.tokens import Principal, Role
from services.gallery.events.access import require_visible_event
from services.gallery.live.announcements import Viewer


async def watch_event(event_id: int, *, principal: Principal, database: Database) -> Viewer:
    """Return the viewer. Raises NotFound unless they are its guest, photographer or an admin."""
    async with database.read() as connection:
        await require_visible_event(connection, principal, event_id)
    return Viewer(principal.user_id, runs_event=principal.role is not Role.PARTICIPANT)

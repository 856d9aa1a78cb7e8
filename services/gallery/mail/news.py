"""News: mails that nobody asked for one by one, such as of new photos."""

from libs.common.database.audit import Action, record
from libs.common.database.transactions import UnitOfWork
from services.gallery.mail import repository as mails


async def end_news(user_id: int, *, unit: UnitOfWork) -> None:
    """Send no more news to an account; those that wait are not sent either."""
    if await mails.set_news(unit.connection, user_id, wants_news=False):
        await record(
            unit.connection,
            Action.ACCOUNT_CHANGED,
            actor_id=user_id,
            account_id=user_id,
            details={"wants_news": False},
        )

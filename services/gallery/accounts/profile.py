"""The caller's own account, and how many photos it is about."""

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.database import Database
from libs.common.errors import NotAuthenticated
from libs.common.web.tokens import Principal, Role
from services.gallery.accounts import repository as accounts
from services.gallery.accounts.repository import AccountRow
from services.gallery.lists import repository as photo_lists
from services.gallery.web.views import View, account_view


async def own_account(connection: AsyncConnection, user_id: int) -> AccountRow:
    """Raises NotAuthenticated when the account is gone: the token outlived it."""
    found = await accounts.find_accounts(connection, user_id=user_id)
    if not found:
        msg = "This account is gone. Register again."
        raise NotAuthenticated(msg)
    return found[0]


async def profile(principal: Principal, *, database: Database) -> View:
    """Return the account with the photos of a guest's main event, or a photographer's uploads."""
    async with database.read() as connection:
        account = await own_account(connection, principal.user_id)
        total = with_face = 0
        if account.event_id is not None:
            total = await photo_lists.count_general_photos(connection, account.event_id)
            mine = await photo_lists.matched_photo_ids(connection, account.id, account.event_id)
            with_face = len(mine)
        elif principal.role is Role.PHOTOGRAPHER:
            total = await photo_lists.count_uploaded_photos(connection, account.id)
    return {"user": account_view(account), "total_photos": total, "photos_with_face": with_face}

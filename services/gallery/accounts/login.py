"""Somebody logs in, and asks for their own account."""

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.database import Database
from libs.common.errors import NotAuthenticated
from libs.common.web.auth import Principal, Role
from services.gallery.accounts import repository as accounts
from services.gallery.accounts.passwords import Passwords
from services.gallery.accounts.repository import AccountRow
from services.gallery.lists.participant_lists import PhotoCounts, count_photos


async def log_in(
    name: str, password: str, *, database: Database, passwords: Passwords
) -> Principal:
    """Check a username or email address, and a password.

    Raises NotAuthenticated, in words that do not tell which of the two was wrong.
    """
    async with database.read() as connection:
        found = await accounts.find_credentials(connection, name.strip())
    fits = await passwords.verify(password, found.password_hash if found else None)
    if found is None or not fits or not found.is_active:
        msg = "The username or the password is wrong."
        raise NotAuthenticated(msg)
    return Principal(found.user_id, found.role)


async def own_account(connection: AsyncConnection, user_id: int) -> AccountRow:
    """Raises NotAuthenticated when the account is gone: the token outlived it."""
    found = await accounts.find_accounts(connection, user_id=user_id)
    if not found:
        msg = "This account is gone. Register again."
        raise NotAuthenticated(msg)
    return found[0]


async def profile(principal: Principal, *, database: Database) -> tuple[AccountRow, PhotoCounts]:
    """Return the account, and how many photos a guest's main event or a photographer has."""
    async with database.read() as connection:
        account = await own_account(connection, principal.user_id)
        counts = PhotoCounts()
        if account.event_id is not None:
            counts = await count_photos(connection, account.id, account.event_id)
        elif principal.role is Role.PHOTOGRAPHER:
            counts = PhotoCounts(await accounts.count_uploaded_photos(connection, account.id))
    return account, counts

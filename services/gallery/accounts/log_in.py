"""Check a username or email address and a password."""

from libs.common.database.database import Database
from libs.common.errors import NotAuthenticated
from libs.common.web.tokens import Principal
from services.gallery.accounts import repository as accounts
from services.gallery.accounts.passwords import Passwords


async def log_in(
    name: str, password: str, *, database: Database, passwords: Passwords
) -> Principal:
    """Raises NotAuthenticated, in words that do not tell which of the two was wrong."""
    async with database.read() as connection:
        found = await accounts.find_credentials(connection, name.strip())
    fits = await passwords.verify(password, found.password_hash if found else None)
    if found is None or not fits or not found.is_active:
        msg = "The username or the password is wrong."
        raise NotAuthenticated(msg)
    return Principal(found.user_id, found.role)

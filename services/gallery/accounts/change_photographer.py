"""Change a photographer's account, at an admin's request."""

from dataclasses import dataclass, field

from libs.common.database.database import UnitOfWork
from libs.common.errors import NotFound
from libs.common.web.tokens import Role
from services.gallery.accounts import repository as accounts
from services.gallery.accounts.create_account import AccountRefused, taken_problems
from services.gallery.accounts.passwords import Passwords
from services.gallery.accounts.repository import AccountRow
from services.gallery.accounts.rules import NewAccount, identity_problems, password_problems


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What the account is to have from now on; None leaves what it has."""

    username: str | None = None
    email: str | None = None
    password: str | None = field(default=None, repr=False)
    is_active: bool | None = None


async def require_photographer_account(user_id: int, *, unit: UnitOfWork) -> AccountRow:
    """Return the account. Raises NotFound unless it is a photographer's."""
    found = await accounts.find_accounts(unit.connection, user_id=user_id, role=Role.PHOTOGRAPHER)
    if not found:
        raise NotFound("Photographer", user_id)
    return found[0]


async def change_photographer(
    user_id: int, change: AccountChange, *, unit: UnitOfWork, passwords: Passwords
) -> AccountRow:
    """Return the account as it is now. Raises NotFound, AccountRefused.

    One that is not active cannot log in; logins that are there last until they expire.
    """
    before = await require_photographer_account(user_id, unit=unit)
    account = NewAccount.of(
        before.username if change.username is None else change.username,
        before.email if change.email is None else change.email,
        change.password or "",
    )
    problems = identity_problems(account)
    problems += await taken_problems(account, besides=user_id, unit=unit)
    if change.password is not None:
        problems += password_problems(account.password)
    if problems:
        raise AccountRefused(problems)
    values: dict[str, object] = {"username": account.username, "email": account.email}
    if change.is_active is not None:
        values["is_active"] = change.is_active
    if change.password is not None:
        values["password_hash"] = await passwords.hash(account.password)
    if not await accounts.change_account(unit.connection, user_id, values):
        # Somebody else took one of them at this moment.
        raise AccountRefused(["This username or email address is already taken."])
    return await require_photographer_account(user_id, unit=unit)

"""Create an account for somebody, at an admin's or the operator's request."""

from libs.common.database.database import UnitOfWork
from libs.common.errors import InvalidInput, NotAllowed
from libs.common.web.tokens import Role
from services.gallery.accounts import repository as accounts
from services.gallery.accounts.passwords import Passwords
from services.gallery.accounts.rules import (
    EMAIL_TAKEN,
    USERNAME_TAKEN,
    NewAccount,
    account_problems,
)


class AccountRefused(InvalidInput):
    """The account cannot be made; the message joins everything that is wrong by "; "."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


async def create_account(
    account: NewAccount, *, role: Role, unit: UnitOfWork, passwords: Passwords
) -> int:
    """Return the new account's id. Raises AccountRefused."""
    problems = account_problems(account) + await taken_problems(account, unit=unit)
    if problems:
        raise AccountRefused(problems)
    password_hash = await passwords.hash(account.password)
    return await add_account(account, role=role, password_hash=password_hash, unit=unit)


async def create_first_admin(account: NewAccount, *, unit: UnitOfWork, passwords: Passwords) -> int:
    """Create an admin when there is none. Raises NotAllowed when there is, AccountRefused."""
    if not await accounts.lock_first_admin(unit.connection):
        msg = "There is an admin already: ask them for an account."
        raise NotAllowed(msg)
    return await create_account(account, role=Role.ADMIN, unit=unit, passwords=passwords)


async def add_account(
    account: NewAccount, *, role: Role, password_hash: str, unit: UnitOfWork
) -> int:
    """Insert an account whose password is hashed. Raises AccountRefused when it lost a race."""
    user_id = await accounts.insert_account(
        unit.connection, account, password_hash=password_hash, role=role
    )
    if user_id is None:
        raise AccountRefused(await taken_problems(account, unit=unit) or [USERNAME_TAKEN])
    return user_id


async def taken_problems(account: NewAccount, *, unit: UnitOfWork, besides: int = 0) -> list[str]:
    """Return which of username and email address others than `besides` use, as sentences."""
    username_taken, email_taken = await accounts.taken(
        unit.connection, username=account.username, email=account.email, besides=besides
    )
    problems = [USERNAME_TAKEN] if username_taken else []
    return [*problems, EMAIL_TAKEN] if email_taken else problems

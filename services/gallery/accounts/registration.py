"""Accounts are made: by guests with an event's code, for others by an admin or the operator.

A password is hashed before the transaction that stores it: hashing waits for its turn, and
meanwhile no connection is held. What was looked at before is therefore looked at again.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.database import Database
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import InvalidInput, NotAllowed, NotAuthenticated
from libs.common.web.auth import Role
from services.gallery.accounts import repository as accounts
from services.gallery.accounts.passwords import Passwords
from services.gallery.accounts.rules import (
    EMAIL_TAKEN,
    USERNAME_TAKEN,
    NewAccount,
    account_problems,
)
from services.gallery.events.access import join_open_event, require_open_event
from services.gallery.events.rules import EventCodeUnknown
from services.gallery.selfies.changes import match_selfies_in

UNKNOWN_CODE = "This event code is not valid."


class AccountRefused(InvalidInput):
    """The account cannot be made; the message joins everything that is wrong by "; "."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


async def register_participant(
    account: NewAccount,
    event_code: str,
    *,
    database: Database,
    passwords: Passwords,
    code_is_address: bool = False,
) -> int:
    """Return the new participant's id; they are a member of the event.

    Raises AccountRefused with everything that is wrong, the event code included; an unknown
    code is EventCodeUnknown instead when it was the invitation's address, not an answer.
    """
    problems = account_problems(account)
    try:
        async with database.read() as connection:
            await require_open_event(connection, event_code)
            problems += await taken_problems(account, connection=connection)
        _refuse(problems)
        password_hash = await passwords.hash(account.password)
        async for attempt in database.attempts():
            async with attempt as unit:
                user_id = await _add_account(account, Role.PARTICIPANT, password_hash, unit)
                await join_open_event(unit.connection, user_id, event_code)
    except EventCodeUnknown:
        if code_is_address:
            raise
        async with database.read() as connection:
            taken = await taken_problems(account, connection=connection)
        raise AccountRefused([UNKNOWN_CODE, *account_problems(account), *taken]) from None
    return user_id


async def create_account(
    account: NewAccount, *, role: Role, database: Database, passwords: Passwords
) -> int:
    """Return the new account's id. Raises AccountRefused."""
    async with database.read() as connection:
        taken = await taken_problems(account, connection=connection)
    _refuse(account_problems(account) + taken)
    password_hash = await passwords.hash(account.password)
    async for attempt in database.attempts():
        async with attempt as unit:
            user_id = await _add_account(account, role, password_hash, unit)
    return user_id


async def create_first_admin(
    account: NewAccount, *, database: Database, passwords: Passwords
) -> int:
    """Create an admin when there is none. Raises NotAllowed when there is, AccountRefused."""
    # Looked at before, so that nobody can keep us hashing; made sure of with the account.
    async with database.unit_of_work() as unit:
        await _require_no_admin(unit)
        taken = await taken_problems(account, connection=unit.connection)
    _refuse(account_problems(account) + taken)
    password_hash = await passwords.hash(account.password)
    async for attempt in database.attempts():
        async with attempt as unit:
            await _require_no_admin(unit)
            user_id = await _add_account(account, Role.ADMIN, password_hash, unit)
    return user_id


async def join_event(user_id: int, code: str, *, unit: UnitOfWork) -> str:
    """A participant joins a further event, where the selfies they have are matched, too.

    Returns the event's name. Raises EventCodeUnknown, InvalidInput when already in.
    """
    await require_open_event(unit.connection, code)
    # A selfie that arrives at this moment must see the membership, or be seen here.
    if not await accounts.lock_account(unit.connection, user_id):
        msg = "This account is gone. Register again."
        raise NotAuthenticated(msg)
    event, is_new = await join_open_event(unit.connection, user_id, code)
    if not is_new:
        msg = f"You have already joined {event.name}."
        raise InvalidInput(msg)
    await match_selfies_in(event.id, user_id=user_id, unit=unit)
    return event.name


async def taken_problems(
    account: NewAccount, *, connection: AsyncConnection, besides: int = 0
) -> list[str]:
    """Return which of username and email address others than `besides` use, as sentences."""
    username_taken, email_taken = await accounts.taken(
        connection, username=account.username, email=account.email, besides=besides
    )
    problems = [USERNAME_TAKEN] if username_taken else []
    return [*problems, EMAIL_TAKEN] if email_taken else problems


async def _add_account(
    account: NewAccount, role: Role, password_hash: str, unit: UnitOfWork
) -> int:
    user_id = await accounts.insert_account(
        unit.connection, account, password_hash=password_hash, role=role
    )
    if user_id is None:
        # Somebody else took one of them while the password was hashed.
        taken = await taken_problems(account, connection=unit.connection)
        raise AccountRefused(taken or [USERNAME_TAKEN])
    return user_id


async def _require_no_admin(unit: UnitOfWork) -> None:
    if not await accounts.lock_first_admin(unit.connection):
        msg = "There is an admin already: ask them for an account."
        raise NotAllowed(msg)


def _refuse(problems: list[str]) -> None:
    if problems:
        raise AccountRefused(problems)

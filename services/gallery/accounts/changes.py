"""Accounts are changed and deleted."""

from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.database import Database
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import Conflict, NotFound
from libs.common.messaging.messages import AccountDeleted
from libs.common.web.auth import Role
from services.gallery.accounts import repository as accounts
from services.gallery.accounts.passwords import Passwords
from services.gallery.accounts.registration import AccountRefused, taken_problems
from services.gallery.accounts.repository import AccountRow
from services.gallery.accounts.rules import NewAccount, identity_problems, password_problems
from services.gallery.selfies.changes import delete_all_selfies
from services.gallery.settings import DELETE_AGAIN_SECONDS


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What the account is to have from now on; None leaves what it has."""

    username: str | None = None
    email: str | None = None
    password: str | None = field(default=None, repr=False)
    is_active: bool | None = None


async def change_photographer(
    user_id: int, change: AccountChange, *, database: Database, passwords: Passwords
) -> AccountRow:
    """Return the account as it is now. Raises NotFound, AccountRefused.

    One that is not active cannot log in; logins that are there last until they expire.
    """
    values: dict[str, object] = {}
    async with database.read() as connection:
        await _checked(user_id, change, connection)
    if change.is_active is not None:
        values["is_active"] = change.is_active
    if change.password is not None:
        # Hashing waits for its turn; meanwhile no connection is held.
        values["password_hash"] = await passwords.hash(change.password)
    async for attempt in database.attempts():
        async with attempt as unit:
            account = await _checked(user_id, change, unit.connection)
            identity = {"username": account.username, "email": account.email}
            if not await accounts.change_account(unit.connection, user_id, values | identity):
                # Somebody else took one of them at this moment.
                raise AccountRefused(["This username or email address is already taken."])
            changed = await _require_photographer(user_id, unit.connection)
    return changed


async def delete_photographer(user_id: int, *, unit: UnitOfWork) -> None:
    """Raises NotFound unless it is a photographer, and Conflict while they have events."""
    await _require_photographer(user_id, unit.connection)
    await delete_account(user_id, unit=unit)


async def delete_account(user_id: int, *, unit: UnitOfWork) -> None:
    """Delete an account with its selfies, their embeddings and matches.

    Rows go now; objects and external faces on the messages. Photos that a photographer uploaded
    stay with their events. Raises NotFound, and Conflict for the last admin and for
    photographers who have events.
    """
    connection = unit.connection
    admins = await accounts.lock_admins(connection)
    role = await accounts.lock_for_deletion(connection, user_id)
    if role is None:
        raise NotFound("User", user_id)
    if role is Role.ADMIN and admins == [user_id]:
        msg = "This is the last admin. Create another one first."
        raise Conflict(msg)
    if owned := await accounts.count_owned_events(connection, user_id):
        these = "an event" if owned == 1 else f"{owned} events"
        msg = (
            f"This account runs {these}. An admin has to give them to another photographer,"
            " or delete them, first."
        )
        raise Conflict(msg)
    event_ids = await delete_all_selfies(user_id, unit=unit)
    await accounts.delete_account(connection, user_id)
    for message in AccountDeleted.for_events(event_ids, user_id=user_id):
        unit.publish(message)
    unit.publish_later(
        AccountDeleted(event_id=AccountDeleted.no_event_id, user_id=user_id),
        seconds=DELETE_AGAIN_SECONDS,
    )


async def _checked(user_id: int, change: AccountChange, connection: AsyncConnection) -> NewAccount:
    """Return what the account is to be called. Raises NotFound, AccountRefused."""
    before = await _require_photographer(user_id, connection)
    account = NewAccount.of(
        before.username if change.username is None else change.username,
        before.email if change.email is None else change.email,
        change.password or "",
    )
    problems = identity_problems(account)
    problems += await taken_problems(account, besides=user_id, connection=connection)
    if change.password is not None:
        problems += password_problems(account.password)
    if problems:
        raise AccountRefused(problems)
    return account


async def _require_photographer(user_id: int, connection: AsyncConnection) -> AccountRow:
    found = await accounts.find_accounts(connection, user_id=user_id, role=Role.PHOTOGRAPHER)
    if not found:
        raise NotFound("Photographer", user_id)
    return found[0]

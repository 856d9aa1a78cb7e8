"""Accounts are changed and deleted."""

from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.audit import Action, record
from libs.common.database.database import Database
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import Conflict, InvalidInput, NotFound
from libs.common.messaging.messages import AccountDeleted
from libs.common.web.auth import Role
from services.gallery.accounts import repository as accounts
from services.gallery.accounts.names import email_key, tidy_username, username_key
from services.gallery.accounts.passwords import Passwords
from services.gallery.accounts.registration import AccountRefused
from services.gallery.accounts.repository import AccountRow
from services.gallery.accounts.rules import (
    EMAIL_TAKEN,
    USERNAME_TAKEN,
    NewAccount,
    email_problems,
    username_problems,
)
from services.gallery.links.repository import void_links
from services.gallery.mail.queue import queue_mail
from services.gallery.mail.rules import Template
from services.gallery.selfies.changes import delete_all_selfies
from services.gallery.sessions.sessions import end_sessions
from services.gallery.settings import DELETE_AGAIN_SECONDS


class LastAdmin(Conflict):
    """Nobody could let anybody in any more."""

    def __init__(self) -> None:
        super().__init__("This is the last admin. Create another one first.")


class NoSuchAccount(InvalidInput):
    """Nobody of that role has this name or address."""

    def __init__(self, name: str, role: Role) -> None:
        kind = role.name.lower()
        super().__init__(f"There is no {kind} {name!r}: `findme {kind} list` shows all.")


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What the account is to have from now on; None leaves what it has."""

    username: str | None = None
    email: str | None = None
    password: str | None = field(default=None, repr=False)
    is_active: bool | None = None


async def accounts_of(role: Role, *, database: Database) -> list[AccountRow]:
    """Return all accounts of a role, the newest first."""
    async with database.read() as connection:
        return await accounts.find_accounts(connection, role=role)


async def named_account(name: str, role: Role, *, database: Database) -> AccountRow:
    """Return the account of a role by its username or address. Raises NoSuchAccount."""
    for account in await accounts_of(role, database=database):
        is_named = username_key(account.username) == username_key(tidy_username(name))
        if is_named or (account.email or "").lower() == name.strip().lower():
            return account
    raise NoSuchAccount(name, role)


async def change_account(
    user_id: int,
    change: AccountChange,
    *,
    role: Role,
    actor_id: int | None,
    database: Database,
    passwords: Passwords,
) -> AccountRow:
    """Return the account as it is now; `actor_id` is None where an operator does it.

    One that is not active cannot log in. With that, and with another password, its logins end.
    Raises NotFound unless it is of the role, AccountRefused, and Conflict for the last admin who
    can log in.
    """
    values: dict[str, object] = {}
    async with database.read() as connection:
        wanted = await _look_at(user_id, change, role, connection)
    problems = list(wanted.problems)
    if change.password is not None:
        problems += await passwords.problems(change.password, about=wanted.called)
    if problems:
        raise AccountRefused(problems)
    if change.is_active is not None:
        values["is_active"] = change.is_active
    if change.password is not None:
        # Hashing waits for its turn; meanwhile no connection is held.
        values["password_hash"] = await passwords.hash(change.password)
    async for attempt in database.attempts():
        async with attempt as unit:
            await _keep_an_admin(user_id, change, unit.connection)
            wanted = await _look_at(user_id, change, role, unit.connection)
            if wanted.problems:
                raise AccountRefused(wanted.problems)
            columns = values | wanted.columns
            if columns and not await accounts.change_account(unit.connection, user_id, columns):
                # Somebody else took one of them at this moment.
                raise AccountRefused(["This username or email address is already taken."])
            if change.password is not None or change.is_active is False:
                await end_sessions(user_id, unit=unit)
            changed = await _require(user_id, role, unit.connection)
            for action in _actions(change):
                await record(unit.connection, action, actor_id=actor_id, account_id=user_id)
            await _tell_owner(user_id, change, wanted.moved_from, unit=unit)
    return changed


async def delete_photographer(user_id: int, *, actor_id: int, unit: UnitOfWork) -> None:
    """Raises NotFound unless it is a photographer, and Conflict while they have events."""
    await _require(user_id, Role.PHOTOGRAPHER, unit.connection)
    await delete_account(user_id, actor_id=actor_id, unit=unit)


async def delete_account(user_id: int, *, actor_id: int, unit: UnitOfWork) -> None:
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
        raise LastAdmin
    if owned := await accounts.count_owned_events(connection, user_id):
        these = "an event" if owned == 1 else f"{owned} events"
        msg = (
            f"This account runs {these}. An admin has to give them to another photographer,"
            " or delete them, first."
        )
        raise Conflict(msg)
    event_ids = await delete_all_selfies(user_id, unit=unit)
    await accounts.delete_account(connection, user_id)
    await record(
        connection,
        Action.ACCOUNT_DELETED,
        actor_id=actor_id,
        account_id=user_id,
        details={"role": role.value},
    )
    for message in AccountDeleted.for_events(event_ids, user_id=user_id):
        unit.publish(message)
    unit.publish_later(
        AccountDeleted(event_id=AccountDeleted.no_event_id, user_id=user_id),
        seconds=DELETE_AGAIN_SECONDS,
    )


async def withdraw_registration(user_id: int, *, unit: UnitOfWork) -> None:
    """Delete a guest's account that was made a moment ago, for a selfie that could not be kept.

    Raises NotFound for one that is older, so that no mistake of a caller costs anybody theirs.
    """
    if not await accounts.is_new_guest(unit.connection, user_id):
        raise NotFound("User", user_id)
    await delete_account(user_id, actor_id=user_id, unit=unit)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the account is to be called, in columns that change, and what is wrong with that."""

    called: list[str]
    columns: dict[str, object]
    problems: list[str]
    #: The address until now, where it changes.
    moved_from: str | None


async def _look_at(
    user_id: int, change: AccountChange, role: Role, connection: AsyncConnection
) -> _Wanted:
    """Raises NotFound. What an older account is called stays good until it is changed."""
    before = await _require(user_id, role, connection)
    renamed = change.username not in {None, before.username}
    moved = change.email not in {None, before.email}
    account = NewAccount.of(
        (change.username or "") if renamed else before.username,
        (change.email or "") if moved else before.email or "",
        "",
    )
    columns: dict[str, object] = {}
    problems: list[str] = []
    if renamed:
        columns |= {"username": account.username, "username_key": username_key(account.username)}
    if moved:
        columns |= {"email": account.email, "email_key": email_key(account.email)}
        problems += email_problems(account.email)
    if renamed or (moved and "@" in account.username):
        problems = username_problems(account) + problems
    username_taken, email_taken = await accounts.taken(
        connection,
        username=account.username if renamed else None,
        email=account.email if moved else None,
        besides=user_id,
    )
    problems += [USERNAME_TAKEN] if username_taken else []
    problems += [EMAIL_TAKEN] if email_taken else []
    called = [account.username, account.email]
    return _Wanted(called, columns, problems, before.email if moved else None)


async def _tell_owner(
    user_id: int, change: AccountChange, moved_from: str | None, *, unit: UnitOfWork
) -> None:
    """Say by mail what somebody else did to an account; of another address, at the old one."""
    if change.password is not None:
        await void_links(unit.connection, user_id)
        await queue_mail(unit.connection, Template.PASSWORD_CHANGED, user_id=user_id, to=moved_from)
    if moved_from is not None:
        await queue_mail(unit.connection, Template.ADDRESS_CHANGED, user_id=user_id, to=moved_from)


def _actions(change: AccountChange) -> list[Action]:
    """Return what is to be recorded of a change."""
    actions = []
    if change.username is not None or change.email is not None:
        actions.append(Action.ACCOUNT_CHANGED)
    if change.password is not None:
        actions.append(Action.PASSWORD_CHANGED)
    if change.is_active is not None:
        actions.append(Action.ACCOUNT_UNLOCKED if change.is_active else Action.ACCOUNT_LOCKED)
    return actions


async def _require(user_id: int, role: Role, connection: AsyncConnection) -> AccountRow:
    found = await accounts.find_accounts(connection, user_id=user_id, role=role)
    if not found:
        raise NotFound(role.name.capitalize(), user_id)
    return found[0]


async def _keep_an_admin(user_id: int, change: AccountChange, connection: AsyncConnection) -> None:
    if change.is_active is False and await accounts.lock_admins(connection) == [user_id]:
        raise LastAdmin

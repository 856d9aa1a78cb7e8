"""Accounts are made: by guests with an event's code, for others by an admin or the operator.

A password is hashed before the transaction that stores it: hashing waits for its turn, and
meanwhile no connection is held. What was looked at before is therefore looked at again.
"""

import secrets
from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.audit import Action, record
from libs.common.database.database import Database
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import InvalidInput, NotAllowed, NotAuthenticated
from libs.common.limits.budgets import AVAILABILITY, JOINS, TAKEN_NAMES
from libs.common.limits.limiter import Limiter
from libs.common.limits.source import caller_source
from libs.common.registrations import EventCodeUnknown
from libs.common.rights.event_ends import EventOver
from libs.common.web.auth import Role
from services.gallery.accounts import repository as accounts
from services.gallery.accounts.passwords import Passwords
from services.gallery.accounts.rules import (
    EMAIL_TAKEN,
    USERNAME_TAKEN,
    NewAccount,
    identity_problems,
)
from services.gallery.events.access import guessed_event, join_open_event, require_open_event
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
    limiter: Limiter,
    code_is_address: bool = False,
) -> int:
    """Return the new participant's id; they are a member of the event.

    Raises AccountRefused with everything that is wrong, the event code included; an unknown
    code is EventCodeUnknown instead, and that of an event that is over EventOver, when it was the
    invitation's address, not an answer. Raises TooManyRequests.
    """
    try:
        await check_registration(
            account, event_code, database=database, passwords=passwords, limiter=limiter
        )
        password_hash = await passwords.hash(account.password, logs_in_next=True)
        async for attempt in database.attempts():
            async with attempt as unit:
                user_id = await _add_account(account, Role.PARTICIPANT, password_hash, unit)
                await join_open_event(unit.connection, user_id, event_code)
    except (EventCodeUnknown, EventOver):
        if code_is_address:
            raise
        await _check(account, [UNKNOWN_CODE], database=database, passwords=passwords)
    return user_id


async def check_registration(
    account: NewAccount,
    event_code: str,
    *,
    database: Database,
    passwords: Passwords,
    limiter: Limiter,
) -> None:
    """Raises AccountRefused with everything that is wrong, EventCodeUnknown for the code.

    Raises TooManyRequests: whoever has the code could ask for everybody's names.
    """
    event = await guessed_event(event_code, database=database, limiter=limiter)
    await limiter.spend(JOINS.of(event.id, caller_source()))
    await _check(account, database=database, passwords=passwords)


async def are_taken(
    username: str | None,
    email: str | None,
    event_code: str | None,
    *,
    database: Database,
    limiter: Limiter,
) -> tuple[bool, bool]:
    """Whether somebody has the username, and the email address, for whoever wants to register.

    Raises TooManyRequests: whoever asks for many wants to know who has an account.
    """
    source = caller_source()
    asks = source
    if event_code is not None:
        with suppress(EventCodeUnknown, EventOver):
            event = await guessed_event(event_code, database=database, limiter=limiter)
            asks = f"{source} of event {event.id}"
    await limiter.spend(AVAILABILITY.of(asks))
    async with limiter.guess(TAKEN_NAMES.of(source)) as guess:
        async with database.read() as connection:
            username_taken, email_taken = await accounts.taken(
                connection, username=username, email=email
            )
        if username_taken or email_taken:
            guess.missed()
    return username_taken, email_taken


async def create_account(
    account: NewAccount,
    *,
    role: Role,
    actor_id: int | None,
    database: Database,
    passwords: Passwords,
) -> int:
    """Return the new account's id. Raises AccountRefused."""
    await _check(account, database=database, passwords=passwords)
    password_hash = await passwords.hash(account.password)
    async for attempt in database.attempts():
        async with attempt as unit:
            user_id = await _add_account(account, role, password_hash, unit, actor_id=actor_id)
    return user_id


async def has_admin(database: Database) -> bool:
    """Whether the first admin was made."""
    async with database.read() as connection:
        return bool(await accounts.find_accounts(connection, role=Role.ADMIN))


async def create_first_admin(
    account: NewAccount,
    *,
    shown: str | None,
    setup_token: str | None,
    database: Database,
    passwords: Passwords,
) -> int:
    """Create an admin when there is none, for who shows the setup token.

    Raises NotAllowed, also where no token is set, and AccountRefused.
    """
    if setup_token is None or not secrets.compare_digest(
        (shown or "").strip().encode(), setup_token.encode()
    ):
        msg = (
            "The first admin is made with the setup token that FindMe prints at its start, or that"
            " SETUP_TOKEN is set to; or on the machine itself: findme admin create."
        )
        raise NotAllowed(msg)
    # Looked at before, so that nobody can keep us hashing; made sure of with the account.
    async with database.unit_of_work() as unit:
        await _require_no_admin(unit)
    await _check(account, database=database, passwords=passwords)
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
    account: NewAccount,
    role: Role,
    password_hash: str,
    unit: UnitOfWork,
    *,
    actor_id: int | None = None,
) -> int:
    """Without an actor it is somebody who makes their own, or the operator."""
    user_id = await accounts.insert_account(
        unit.connection, account, password_hash=password_hash, role=role
    )
    if user_id is None:
        # Somebody else took one of them while the password was hashed.
        taken = await taken_problems(account, connection=unit.connection)
        raise AccountRefused(taken or [USERNAME_TAKEN])
    await record(
        unit.connection,
        Action.ACCOUNT_CREATED,
        actor_id=actor_id,
        account_id=user_id,
        details={"role": role.value},
    )
    return user_id


async def _require_no_admin(unit: UnitOfWork) -> None:
    if not await accounts.lock_first_admin(unit.connection):
        msg = "There is an admin already: ask them for an account."
        raise NotAllowed(msg)


async def _check(
    account: NewAccount,
    problems: Sequence[str] = (),
    *,
    database: Database,
    passwords: Passwords,
) -> None:
    """Raises AccountRefused with these problems and all others; no connection is held meanwhile."""
    about = [account.username, account.email]
    found = [*problems, *identity_problems(account)]
    found += await passwords.problems(account.password, about=about)
    async with database.read() as connection:
        found += await taken_problems(account, connection=connection)
    if found:
        raise AccountRefused(found)

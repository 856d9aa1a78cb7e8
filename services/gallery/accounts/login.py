"""Somebody logs in, and asks for their own account."""

from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.accounts.tokens import Tokens
from libs.common.database.audit import Action, record
from libs.common.database.database import Database
from libs.common.errors import NotAllowed, NotAuthenticated
from libs.common.limits.budgets import (
    FAMILIAR,
    WRONG_LOGINS_OF_ADDRESS,
    WRONG_PASSWORDS,
    WRONG_PASSWORDS_A_DAY,
    WRONG_PASSWORDS_OF_ACCOUNT,
)
from libs.common.limits.limiter import Limiter
from libs.common.limits.source import caller_source
from libs.common.rights.event_ends import find_state
from libs.common.web.auth import Principal, Role
from services.gallery.accounts import repository as accounts
from services.gallery.accounts.passwords import Passwords
from services.gallery.accounts.repository import AccountOfEmail, AccountRow
from services.gallery.lists.participant_lists import PhotoCounts, count_photos
from services.gallery.sessions.sessions import AccountChangedMeanwhile, IssuedSession, begin_login


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody logs in with."""

    name: str
    password: str = field(repr=False)
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class Checking:
    """What a login is checked by, and how long it lasts."""

    database: Database
    passwords: Passwords
    limiter: Limiter
    tokens: Tokens
    lifetime: timedelta


async def log_in(given: Given, *, checking: Checking) -> IssuedSession:
    """Check a username or email address, and a password, and begin a session.

    A password whose hash has other parameters than are set is hashed anew. Raises
    NotAuthenticated, in words that do not tell which of the two was wrong, and TooManyRequests
    after too many wrong ones from the same address.
    """
    try:
        return await _log_in(given, checking)
    except AccountChangedMeanwhile:
        # Another device may have logged in at the same moment, and the password was hashed anew.
        return await _log_in(given, checking)


async def _log_in(given: Given, checking: Checking) -> IssuedSession:
    database, limiter, name = checking.database, checking.limiter, given.name.strip()
    async with database.read() as connection:
        found = await accounts.find_credentials(connection, name)
    source = caller_source()
    # Of names that nobody has alike, or a limit would tell which there are.
    who = found.user_id if found else f"nobody {name.casefold()}"
    own = WRONG_PASSWORDS.of(who, source), WRONG_PASSWORDS_A_DAY.of(who, source)
    of_all = WRONG_PASSWORDS_OF_ACCOUNT.of(who), WRONG_LOGINS_OF_ADDRESS.of(source)
    familiar = FAMILIAR.of("account", who, source)
    async with limiter.guess(*own, *of_all, familiar=familiar) as guess:
        verified = await checking.passwords.verify(
            given.password, found.password_hash if found else None
        )
        is_let_in = found is not None and verified.fits and found.is_active
        if not is_let_in:
            guess.missed()
        else:
            await limiter.remember(familiar)
            if guess.was_missed_before:
                await limiter.forget(*own)
    if found is None or not is_let_in:
        async with database.unit_of_work() as unit:
            await record(
                unit.connection,
                Action.LOGIN_FAILED,
                actor_id=None,
                account_id=found.user_id if found else None,
            )
        msg = "The username or the password is wrong."
        raise NotAuthenticated(msg)
    async for attempt in database.attempts():
        async with attempt as unit:
            password_hash = found.password_hash
            # Before the login locks the account with others.
            if verified.new_hash is not None and await accounts.replace_password(
                unit.connection, found.user_id, verified.new_hash, instead_of=password_hash
            ):
                password_hash = verified.new_hash
            session = await begin_login(
                found.user_id,
                found.role,
                lifetime=checking.lifetime,
                user_agent=given.user_agent,
                tokens=checking.tokens,
                unit=unit,
                password_hash=password_hash,
            )
    return session


async def find_by_email(connection: AsyncConnection, email: str) -> AccountOfEmail | None:
    """Return the account of exactly this address."""
    return await accounts.find_by_email(connection, email)


async def require_presence(
    principal: Principal,
    password: str | None,
    *,
    database: Database,
    passwords: Passwords,
    limiter: Limiter,
) -> None:
    """Before what gives an account away or ends it: a login of the last minutes, or the password.

    A password that is sent is the right one, whenever the login was. Who has none has only their
    session. Raises NotAllowed, and TooManyRequests.
    """
    if principal.session_id is None:
        msg = "A key cannot do this. Log in."
        raise NotAllowed(msg)
    async with database.read() as connection:
        password_hash, is_fresh = await accounts.presence(
            connection, principal.user_id, principal.session_id
        )
    if password_hash is None or (is_fresh and password is None):
        return
    if password is None:
        msg = "For this send your password too, or log in again first."
        raise NotAllowed(msg)
    who = principal.user_id, caller_source()
    async with limiter.guess(WRONG_PASSWORDS.of(*who), WRONG_PASSWORDS_A_DAY.of(*who)) as guess:
        fits = (await passwords.verify(password, password_hash)).fits
        if not fits:
            guess.missed()
    if not fits:
        msg = "The password is wrong."
        raise NotAllowed(msg)


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
            state = await find_state(connection, account.event_id)
            if state is not None and not (state.is_over or state.is_erased):
                counts = await count_photos(connection, account.id, account.event_id)
        elif principal.role is Role.PHOTOGRAPHER:
            counts = PhotoCounts(await accounts.count_uploaded_photos(connection, account.id))
    return account, counts

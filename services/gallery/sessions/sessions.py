"""Logins begin and end; every service is told of an end within a moment."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NoReturn

from libs.common.accounts.principal import Principal, Role
from libs.common.accounts.tokens import TokenClaims, Tokens
from libs.common.database.audit import Action, record
from libs.common.database.database import Database
from libs.common.database.expired_rows import keep_deleting
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import NotAuthenticated, NotFound
from libs.common.messaging.messages import AccountChanged
from services.gallery.links.repository import void_links
from services.gallery.links.rules import Purpose
from services.gallery.sessions import repository
from services.gallery.sessions.rules import label_of

CLEANED_EVERY_SECONDS = 3600.0
DELETED_AT_ONCE = 1000


class AccountChangedMeanwhile(NotAuthenticated):
    """The account was deleted, deactivated or given another password as somebody logged in."""

    def __init__(self) -> None:
        super().__init__("This account has changed at this moment. Log in again.")


@dataclass(frozen=True, slots=True)
class IssuedSession:
    """A login that has begun, and the token that is as good as it."""

    id: uuid.UUID
    token: str = field(repr=False)
    expires_at: datetime
    lifetime: timedelta


async def issue_session(
    user_id: int,
    role: Role,
    *,
    lifetime: timedelta,
    user_agent: str | None,
    tokens: Tokens,
    unit: UnitOfWork,
    password_hash: str | None = None,
) -> IssuedSession:
    """Log the account in. Whoever had to know its password says which hash it fitted.

    Raises AccountChangedMeanwhile where the account is not what it was when it was looked at.
    """
    begun = await repository.begin_session(
        unit.connection,
        user_id,
        role=role,
        lifetime=lifetime,
        label=label_of(user_agent),
        password_hash=password_hash,
    )
    if begun is None:
        raise AccountChangedMeanwhile
    _announce(user_id, await repository.end_surplus(unit.connection, user_id), unit=unit)
    token = tokens.issue(TokenClaims(begun.subject, begun.id, role), expires_at=begun.expires_at)
    return IssuedSession(begun.id, token, begun.expires_at, lifetime)


async def begin_login(
    user_id: int,
    role: Role,
    *,
    lifetime: timedelta,
    user_agent: str | None,
    tokens: Tokens,
    unit: UnitOfWork,
    password_hash: str | None = None,
    by: str | None = None,
) -> IssuedSession:
    """Log in an account that was there before, and record it; `by` what, if not its password.

    Raises as `issue_session` does.
    """
    session = await issue_session(
        user_id,
        role,
        lifetime=lifetime,
        user_agent=user_agent,
        tokens=tokens,
        unit=unit,
        password_hash=password_hash,
    )
    await record(
        unit.connection,
        Action.LOGIN_SUCCEEDED,
        actor_id=user_id,
        account_id=user_id,
        details={} if by is None else {"by": by},
    )
    return session


async def end_sessions(user_id: int, *, unit: UnitOfWork, besides: uuid.UUID | None = None) -> int:
    """Log the account out everywhere, but for one session; return how many have ended.

    To be called after what the account becomes was written, in the same transaction.
    """
    ended = await repository.end_sessions(unit.connection, user_id, besides=besides)
    if besides is None:
        announce_change(user_id, unit=unit)
    else:
        _announce(user_id, ended, unit=unit)
    return len(ended)


async def end_session(principal: Principal, session_id: uuid.UUID, *, unit: UnitOfWork) -> None:
    """Log one of the caller's own sessions out. Raises NotFound."""
    if not await repository.end_session(unit.connection, principal.user_id, session_id):
        raise NotFound("Session", session_id)
    await record(
        unit.connection,
        Action.SESSION_ENDED,
        actor_id=principal.user_id,
        account_id=principal.user_id,
    )
    _announce(principal.user_id, [session_id], unit=unit)


async def log_out(principal: Principal, *, everywhere: bool, unit: UnitOfWork) -> int:
    """End the caller's session, or all of theirs; return how many have ended."""
    await record(
        unit.connection,
        Action.LOGOUT,
        actor_id=principal.user_id,
        account_id=principal.user_id,
        details={"everywhere": everywhere},
    )
    if everywhere or principal.session_id is None:
        # Whoever had the account on a lost device may have made one to come back by.
        await void_links(unit.connection, principal.user_id, Purpose.OTHER_DEVICE)
        return await end_sessions(principal.user_id, unit=unit)
    ended = await repository.end_session(unit.connection, principal.user_id, principal.session_id)
    _announce(principal.user_id, [principal.session_id], unit=unit)
    return int(ended)


def announce_change(user_id: int, *, unit: UnitOfWork) -> None:
    """Have every service look at the account again, and end its open streams."""
    unit.publish(AccountChanged(user_id=user_id))


async def delete_expired_sessions(database: Database) -> NoReturn:
    """Keep deleting logins that have expired; nobody can use them any more."""
    await keep_deleting(
        repository.delete_expired,
        database,
        every_seconds=CLEANED_EVERY_SECONDS,
        at_once=DELETED_AT_ONCE,
        waits="expired_sessions_wait",
    )


def _announce(user_id: int, ended: list[uuid.UUID], *, unit: UnitOfWork) -> None:
    if ended:
        unit.publish(AccountChanged(user_id=user_id, ended_sessions=tuple(ended)))

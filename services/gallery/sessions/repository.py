"""SQL of logins: begun, shown to their owner, ended."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.accounts.principal import Role
from libs.common.database.tables import sessions, users

#: Older ones than these end when another one begins.
SESSIONS_OF_ONE = 100


@dataclass(frozen=True, slots=True)
class BegunSession:
    """A login that has just begun, and whose it is."""

    id: uuid.UUID
    subject: uuid.UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A login as its owner sees it."""

    id: uuid.UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    label: str


async def begin_session(
    connection: AsyncConnection,
    user_id: int,
    *,
    role: Role,
    lifetime: timedelta,
    label: str,
    password_hash: str | None,
) -> BegunSession | None:
    """Return the login, None when the account is not active, of another role or password by now."""
    # Locked, so that a change of the account is waited for, and what it ends includes this one.
    account = (
        select(users.c.id, users.c.subject)
        .where(users.c.id == user_id, users.c.is_active, users.c.user_type == role.value)
        .with_for_update(read=True)
    )
    if password_hash is not None:
        account = account.where(users.c.password_hash == password_hash)
    found = (await connection.execute(account)).one_or_none()
    if found is None:
        return None
    row = (
        await connection.execute(
            insert(sessions)
            .values(user_id=user_id, expires_at=func.now() + lifetime, label=label)
            .returning(sessions.c.id, sessions.c.expires_at)
        )
    ).one()
    return BegunSession(row.id, found.subject, row.expires_at)


async def end_surplus(connection: AsyncConnection, user_id: int) -> list[uuid.UUID]:
    """End those that were not seen for the longest time beyond SESSIONS_OF_ONE."""
    surplus = (
        select(sessions.c.id)
        .where(sessions.c.user_id == user_id)
        .order_by(sessions.c.last_seen_at.desc(), sessions.c.created_at.desc())
        .offset(SESSIONS_OF_ONE)
    )
    return await _delete(connection, sessions.c.id.in_(surplus))


async def end_session(connection: AsyncConnection, user_id: int, session_id: uuid.UUID) -> bool:
    """Whether there was such a login of the account."""
    ended = await connection.execute(
        delete(sessions).where(sessions.c.id == session_id, sessions.c.user_id == user_id)
    )
    return ended.rowcount > 0


async def end_sessions(
    connection: AsyncConnection, user_id: int, *, besides: uuid.UUID | None
) -> list[uuid.UUID]:
    """Return the account's logins that have ended: all of them, but the one that is to stay."""
    others = sessions.c.user_id == user_id
    if besides is not None:
        others = and_(others, sessions.c.id != besides)
    return await _delete(connection, others)


async def find_sessions(connection: AsyncConnection, user_id: int) -> list[SessionRow]:
    """Return the account's logins that have not expired, the one seen last first."""
    rows = await connection.execute(
        select(
            sessions.c.id,
            sessions.c.created_at,
            sessions.c.last_seen_at,
            sessions.c.expires_at,
            sessions.c.label,
        )
        .where(sessions.c.user_id == user_id, sessions.c.expires_at > func.now())
        .order_by(sessions.c.last_seen_at.desc(), sessions.c.created_at.desc())
    )
    return [SessionRow(**row._asdict()) for row in rows]


async def delete_expired(connection: AsyncConnection, *, at_most: int) -> int:
    """Delete so many that have expired; return how many there were."""
    expired = (
        select(sessions.c.id)
        .where(sessions.c.expires_at < func.now())
        .limit(at_most)
        .with_for_update(skip_locked=True)
    )
    deleted = await connection.execute(delete(sessions).where(sessions.c.id.in_(expired)))
    return deleted.rowcount


async def _delete(connection: AsyncConnection, condition: ColumnElement[bool]) -> list[uuid.UUID]:
    ended: Iterable[uuid.UUID] = await connection.scalars(
        delete(sessions).where(condition).returning(sessions.c.id)
    )
    return list(ended)

"""SQL of who is logged in, asked by every service."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import ARRAY, UUID, Column, Table, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.accounts.principal import Role
from libs.common.database.compiled import CompiledRead, parameter
from libs.common.database.tables import api_keys, sessions, users

#: When a login or a key was last used is known so exactly.
SEEN_WITHIN = timedelta(minutes=10)
_IDS = parameter("ids", ARRAY(UUID()))


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """An account that is active, by a login of its that has not ended."""

    user_id: int
    subject: uuid.UUID
    role: Role


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """An API key that stands, and the active photographer whose it is."""

    user_id: int
    digest: bytes = field(repr=False)
    only_event_id: int | None


async def find_keys(
    connection: AsyncConnection, key_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, KeyStatus]:
    """Return those keys that stand, by their ids."""
    rows = await _keys().execute(connection, ids=list(key_ids))
    return {key_id: KeyStatus(*status) for key_id, *status in rows}


async def find_statuses(
    connection: AsyncConnection, session_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, AccountStatus]:
    """Return those that are logged in, by the ids of their sessions."""
    rows = await _statuses().execute(connection, ids=list(session_ids))
    return {
        session_id: AccountStatus(user_id, subject, Role(user_type))
        for session_id, user_id, subject, user_type in rows
    }


async def note_seen(connection: AsyncConnection, session_ids: Collection[uuid.UUID]) -> None:
    """Note that these sessions were used, unless that was noted lately."""
    await _note_use(connection, sessions, sessions.c.last_seen_at, session_ids)


async def note_used(connection: AsyncConnection, key_ids: Collection[uuid.UUID]) -> None:
    """Note that these API keys were used, unless that was noted lately."""
    await _note_use(connection, api_keys, api_keys.c.last_used_at, key_ids)


@cache
def _keys() -> CompiledRead:
    return CompiledRead(
        select(api_keys.c.id, api_keys.c.user_id, api_keys.c.digest, api_keys.c.event_id)
        .join(users, users.c.id == api_keys.c.user_id)
        .where(
            api_keys.c.id == func.any(_IDS),
            or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > func.now()),
            users.c.is_active,
            users.c.user_type == Role.PHOTOGRAPHER.value,
        )
    )


@cache
def _statuses() -> CompiledRead:
    return CompiledRead(
        select(sessions.c.id, users.c.id, users.c.subject, users.c.user_type)
        .join(users, users.c.id == sessions.c.user_id)
        .where(
            sessions.c.id == func.any(_IDS),
            sessions.c.expires_at > func.now(),
            users.c.is_active,
        )
    )


async def _note_use(
    connection: AsyncConnection,
    table: Table,
    used_at: Column[datetime],
    ids: Collection[uuid.UUID],
) -> None:
    # Another process may note the same ones at this moment, in another order.
    outdated = (
        select(table.c.id)
        .where(
            table.c.id == func.any(list(ids)),
            or_(used_at.is_(None), used_at < func.now() - SEEN_WITHIN),
        )
        .with_for_update(skip_locked=True)
    )
    await connection.execute(
        update(table).where(table.c.id.in_(outdated)).values({used_at: func.now()})
    )

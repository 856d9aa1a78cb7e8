"""SQL of API keys: made, shown, revoked. Their use is asked in `libs.common.accounts`."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.accounts.principal import Role
from libs.common.database.tables import api_keys, events, users


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    """A key as its photographer sees it; never its digest."""

    id: uuid.UUID
    photographer_id: int
    event_id: int | None
    name: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


async def lock_photographer(connection: AsyncConnection, user_id: int) -> bool:
    """Whether it is an active photographer; others who make them a key wait."""
    found = await connection.scalar(
        select(users.c.id)
        .where(
            users.c.id == user_id,
            users.c.user_type == Role.PHOTOGRAPHER.value,
            users.c.is_active,
        )
        .with_for_update(key_share=True)
    )
    return found is not None


async def runs_event(connection: AsyncConnection, user_id: int, event_id: int) -> bool:
    """Whether the event is the photographer's."""
    found = await connection.scalar(
        select(events.c.id).where(events.c.id == event_id, events.c.photographer_id == user_id)
    )
    return found is not None


async def count_keys(connection: AsyncConnection, user_id: int) -> int:
    """Return how many keys the photographer has."""
    count = await connection.scalar(
        select(func.count()).select_from(api_keys).where(api_keys.c.user_id == user_id)
    )
    return int(count or 0)


async def add_key(
    connection: AsyncConnection,
    key_id: uuid.UUID,
    digest: bytes,
    *,
    user_id: int,
    event_id: int | None,
    name: str,
    expires_at: datetime | None,
) -> ApiKeyRow:
    """Store a key and return its row."""
    await connection.execute(
        insert(api_keys).values(
            id=key_id,
            digest=digest,
            user_id=user_id,
            event_id=event_id,
            name=name,
            expires_at=expires_at,
        )
    )
    (row,) = await _find(connection, api_keys.c.id == key_id)
    return row


async def find_keys(connection: AsyncConnection, *, user_id: int | None) -> list[ApiKeyRow]:
    """Return the photographer's keys, or everybody's, the newest first."""
    return await _find(connection, true() if user_id is None else api_keys.c.user_id == user_id)


async def delete_key(
    connection: AsyncConnection, key_id: uuid.UUID, *, user_id: int | None
) -> ApiKeyRow | None:
    """Return the key that is gone now, None when there is none (of the photographer's)."""
    condition = api_keys.c.id == key_id
    found = await _find(connection, condition)
    if not found or user_id not in (None, found[0].photographer_id):
        return None
    deleted = await connection.execute(delete(api_keys).where(condition))
    return found[0] if deleted.rowcount else None


async def _find(connection: AsyncConnection, condition: ColumnElement[bool]) -> list[ApiKeyRow]:
    rows = await connection.execute(
        select(
            api_keys.c.id,
            api_keys.c.user_id.label("photographer_id"),
            api_keys.c.event_id,
            api_keys.c.name,
            api_keys.c.created_at,
            api_keys.c.expires_at,
            api_keys.c.last_used_at,
        )
        .where(condition)
        .order_by(api_keys.c.created_at.desc(), api_keys.c.id)
    )
    return [ApiKeyRow(**row._asdict()) for row in rows]

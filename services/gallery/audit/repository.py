"""The rows of the audit, newest first, and their end. They are written where something is done."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import audit, events, users

_actors = users.alias("actors")
_accounts = users.alias("accounts")
#: Rows deleted in one transaction.


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are wanted: those that meet all conditions that are not None."""

    action: str | None = None
    actor_id: int | None = None
    account_id: int | None = None
    event_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row, with the names that its ids have today; None once they are gone."""

    id: int
    at: datetime
    action: str
    actor_id: int | None
    actor_name: str | None
    account_id: int | None
    account_name: str | None
    event_id: int | None
    event_name: str | None
    object_id: int | None
    address: str | None
    request_id: str | None
    details: dict[str, object] = field(default_factory=dict)


async def page(
    connection: AsyncConnection, wanted: Filter, *, before: int | None, limit: int
) -> list[AuditRow]:
    """Return up to `limit` rows with ids below `before`, newest first."""
    query = (
        select(
            audit.c.id,
            audit.c.at,
            audit.c.action,
            audit.c.actor_id,
            _actors.c.username.label("actor_name"),
            audit.c.account_id,
            _accounts.c.username.label("account_name"),
            audit.c.event_id,
            events.c.name.label("event_name"),
            audit.c.object_id,
            audit.c.address,
            audit.c.request_id,
            audit.c.details,
        )
        .select_from(
            audit.outerjoin(_actors, _actors.c.id == audit.c.actor_id)
            .outerjoin(_accounts, _accounts.c.id == audit.c.account_id)
            .outerjoin(events, events.c.id == audit.c.event_id)
        )
        .order_by(audit.c.id.desc())
        .limit(limit)
    )
    for column in ("action", "actor_id", "account_id", "event_id"):
        value = getattr(wanted, column)
        if value is not None:
            query = query.where(audit.c[column] == value)
    if wanted.since is not None:
        query = query.where(audit.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(audit.c.at < wanted.until)
    if before is not None:
        query = query.where(audit.c.id < before)
    return [AuditRow(**row._asdict()) for row in await connection.execute(query)]


async def delete_older(connection: AsyncConnection, /, *, at_most: int, age: timedelta) -> int:
    """Delete so many of the rows that are older; return how many there were."""
    # Not locked before: for that one needs the right to change rows, which nobody has here.
    old = (
        select(audit.c.id).where(audit.c.at < func.now() - age).order_by(audit.c.at).limit(at_most)
    )
    done = await connection.execute(delete(audit).where(audit.c.id.in_(old)))
    return done.rowcount

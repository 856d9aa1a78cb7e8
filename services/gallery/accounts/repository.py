"""Accounts: who there is, and what they are told of themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, func, or_, select, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, memberships, photos, selfies, users
from libs.common.web.auth import Role
from services.gallery.accounts.rules import NewAccount

#: Held while the first admin is made, so that two requests at once make one.
_FIRST_ADMIN_LOCK_ID = 0x46494E46


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a login is checked against."""

    user_id: int
    role: Role
    password_hash: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account and its main event; never its password hash."""

    id: int
    username: str
    email: str
    user_type: str
    is_active: bool
    created_at: datetime
    has_selfie: bool
    event_id: int | None
    event_name: str | None
    event_code: str | None
    event_date: datetime | None


async def find_credentials(connection: AsyncConnection, name: str) -> Credentials | None:
    """Find an account by username, else by email address in any case."""
    row = (
        await connection.execute(
            select(users.c.id, users.c.user_type, users.c.password_hash, users.c.is_active)
            .where(or_(users.c.username == name, func.lower(users.c.email) == func.lower(name)))
            .order_by((users.c.username == name).desc())
            .limit(1)
        )
    ).one_or_none()
    return Credentials(row[0], Role(row[1]), row[2], row[3]) if row else None


async def taken(
    connection: AsyncConnection, *, username: str | None, email: str | None, besides: int = 0
) -> tuple[bool, bool]:
    """Whether others than `besides` use the username and the email address."""
    username, email = (username or "").strip(), (email or "").strip()
    others = users.c.id != besides
    row = (
        await connection.execute(
            select(
                exists().where(users.c.username == username, others),
                exists().where(func.lower(users.c.email) == func.lower(email), others),
            )
        )
    ).one()
    return bool(row[0]), bool(row[1])


async def insert_account(
    connection: AsyncConnection, account: NewAccount, *, password_hash: str, role: Role
) -> int | None:
    """Return the new account's id, None when its username or email address is in use."""
    user_id: int | None = await connection.scalar(
        insert(users)
        .values(
            username=account.username,
            email=account.email,
            password_hash=password_hash,
            user_type=role.value,
        )
        .on_conflict_do_nothing()
        .returning(users.c.id)
    )
    return user_id


async def change_account(
    connection: AsyncConnection, user_id: int, values: Mapping[str, object]
) -> bool:
    """Give columns of the account other values; False when somebody else has such a name."""
    try:
        await connection.execute(update(users).where(users.c.id == user_id).values(dict(values)))
    except IntegrityError:
        return False
    return True


async def find_accounts(
    connection: AsyncConnection,
    *,
    user_id: int | None = None,
    role: Role | None = None,
    joined_event_id: int | None = None,
) -> list[AccountRow]:
    """Return the accounts that meet all given conditions, in the order of their creation."""
    main = (
        select(memberships.c.event_id)
        .where(memberships.c.user_id == users.c.id)
        .order_by(memberships.c.joined_at, memberships.c.event_id)
        .limit(1)
        .lateral()
    )
    query = (
        select(
            users.c.id,
            users.c.username,
            users.c.email,
            users.c.user_type,
            users.c.is_active,
            users.c.created_at,
            exists().where(selfies.c.user_id == users.c.id).label("has_selfie"),
            events.c.id.label("event_id"),
            events.c.name.label("event_name"),
            events.c.event_code,
            events.c.date.label("event_date"),
        )
        .select_from(
            users.outerjoin(main, true()).outerjoin(events, events.c.id == main.c.event_id)
        )
        .order_by(users.c.id)
    )
    if user_id is not None:
        query = query.where(users.c.id == user_id)
    if role is not None:
        query = query.where(users.c.user_type == role.value)
    if joined_event_id is not None:
        joined = select(memberships.c.user_id).where(memberships.c.event_id == joined_event_id)
        query = query.where(users.c.id.in_(joined))
    return [AccountRow(**row._asdict()) for row in await connection.execute(query)]


async def lock_first_admin(connection: AsyncConnection) -> bool:
    """Whether there is no admin yet; it stays true until the transaction ends."""
    await connection.execute(text(f"SELECT pg_advisory_xact_lock({_FIRST_ADMIN_LOCK_ID})"))
    found = await connection.scalar(
        select(users.c.id).where(users.c.user_type == Role.ADMIN.value).limit(1)
    )
    return found is None


async def lock_admins(connection: AsyncConnection) -> list[int]:
    """Return the ids of all active admins, who stay what they are until the transaction ends."""
    return list(
        await connection.scalars(
            select(users.c.id)
            .where(users.c.user_type == Role.ADMIN.value, users.c.is_active)
            .order_by(users.c.id)
            .with_for_update(key_share=True)
        )
    )


async def lock_for_deletion(connection: AsyncConnection, user_id: int) -> Role | None:
    """Keep others from adding anything to the account; None when it is gone."""
    found = await connection.scalar(
        select(users.c.user_type).where(users.c.id == user_id).with_for_update()
    )
    return Role(found) if found else None


async def count_owned_events(connection: AsyncConnection, user_id: int) -> int:
    """Return how many events the photographer runs."""
    count = await connection.scalar(
        select(func.count()).select_from(events).where(events.c.photographer_id == user_id)
    )
    return count or 0


async def count_uploaded_photos(connection: AsyncConnection, user_id: int) -> int:
    """Return how many photos the photographer uploaded."""
    count = await connection.scalar(select(func.count()).where(photos.c.photographer_id == user_id))
    return count or 0


async def delete_account(connection: AsyncConnection, user_id: int) -> None:
    """Delete the account, and by cascade all that hangs on it."""
    await connection.execute(delete(users).where(users.c.id == user_id))


async def lock_account(connection: AsyncConnection, user_id: int) -> bool:
    """Make others who change the account's selfie or events wait; False when it is gone."""
    found = await connection.scalar(
        select(users.c.id).where(users.c.id == user_id).with_for_update(key_share=True)
    )
    return found is not None

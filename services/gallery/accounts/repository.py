"""Accounts: who there is, and what they are told of themselves."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.locks import AdvisoryLock
from libs.common.database.tables import events, memberships, photos, selfies, sessions, users
from libs.common.web.auth import Role
from services.gallery.accounts.names import email_key, tidy_username, username_key
from services.gallery.accounts.rules import NewAccount

#: So long after a login nobody is asked for the password again.
FRESH_FOR = timedelta(minutes=15)
#: Longer than a registration with a selfie may take.
_NEW = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a login is checked against."""

    user_id: int
    role: Role
    password_hash: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class AccountOfEmail:
    """Whose address it is."""

    user_id: int
    role: Role
    is_active: bool


@dataclass(frozen=True, slots=True)
class PasswordRow:
    """An account's password hash, None for a guest who needs none; and what others guess first."""

    password_hash: str | None = field(repr=False)
    username: str
    email: str | None


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account and its main event; never its password hash."""

    id: int
    username: str
    #: None for a guest who named no address, or did not prove it yet.
    email: str | None
    user_type: str
    is_active: bool
    created_at: datetime
    has_selfie: bool
    event_id: int | None
    event_name: str | None
    event_code: str | None
    event_date: datetime | None


async def find_credentials(connection: AsyncConnection, name: str) -> Credentials | None:
    """Find an account that has a password by username, else by email address.

    Two whose names look alike, as there may be older ones, are told apart by the exact name.
    """
    is_exact = users.c.username.in_(_as_typed(name))
    has_name, has_email = _has_name(name), _has_email(name)
    row = (
        await connection.execute(
            select(users.c.id, users.c.user_type, users.c.password_hash, users.c.is_active)
            .where(users.c.password_hash.is_not(None), or_(has_name, has_email))
            .order_by(
                and_(has_name, is_exact).desc(),
                has_name.desc(),
                (users.c.email_key == email_key(name)).desc().nulls_last(),
                users.c.id,
            )
            .limit(1)
        )
    ).one_or_none()
    return Credentials(row[0], Role(row[1]), row[2], row[3]) if row else None


async def find_by_email(connection: AsyncConnection, email: str) -> AccountOfEmail | None:
    """Find the account of exactly this address, in any case: one that looks alike is another's."""
    row = (
        await connection.execute(
            select(users.c.id, users.c.user_type, users.c.is_active)
            .where(func.lower(users.c.email) == email.lower())
            # Of older ones there may be two.
            .order_by((users.c.email_key == email_key(email)).desc().nulls_last(), users.c.id)
            .limit(1)
        )
    ).one_or_none()
    return AccountOfEmail(row.id, Role(row.user_type), row.is_active) if row else None


async def presence(
    connection: AsyncConnection, user_id: int, session_id: uuid.UUID | None
) -> tuple[str | None, bool]:
    """Return the account's password hash, and whether that session of its has just begun."""
    is_fresh = exists().where(
        sessions.c.id == session_id,
        sessions.c.user_id == users.c.id,
        sessions.c.created_at > func.now() - FRESH_FOR,
    )
    row = (
        await connection.execute(
            select(users.c.password_hash, is_fresh).where(users.c.id == user_id)
        )
    ).one_or_none()
    return (row[0], row[1]) if row else (None, False)


async def taken(
    connection: AsyncConnection, *, username: str | None, email: str | None, besides: int = 0
) -> tuple[bool, bool]:
    """Whether others than `besides` use the username and the email address, or one like it."""
    others = users.c.id != besides
    row = (
        await connection.execute(
            select(
                exists().where(_has_name(username or ""), others),
                exists().where(_has_email(email or ""), others),
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
            username_key=username_key(account.username),
            email=account.email,
            email_key=email_key(account.email),
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
    """Return the accounts that meet all given conditions, the newest first."""
    of_guest = events.alias("of_guest")
    main = (
        select(memberships.c.event_id)
        .join(of_guest, of_guest.c.id == memberships.c.event_id)
        .where(memberships.c.user_id == users.c.id)
        # As in `rights.access.main_event_ids`.
        .order_by(
            of_guest.c.expires_at <= func.now(), memberships.c.joined_at, memberships.c.event_id
        )
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
        .order_by(users.c.id.desc())
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
    await connection.execute(text(f"SELECT pg_advisory_xact_lock({AdvisoryLock.FIRST_ADMIN:d})"))
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


async def is_new_guest(connection: AsyncConnection, user_id: int) -> bool:
    """Whether it is a participant's account that was made within the last minutes."""
    found = await connection.scalar(
        select(users.c.id).where(
            users.c.id == user_id,
            users.c.user_type == Role.PARTICIPANT.value,
            users.c.created_at > func.now() - _NEW,
        )
    )
    return found is not None


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


async def find_password(connection: AsyncConnection, user_id: int) -> PasswordRow | None:
    """Return the hash of an active account's password; None when there is no such account."""
    row = (
        await connection.execute(
            select(users.c.password_hash, users.c.username, users.c.email).where(
                users.c.id == user_id, users.c.is_active
            )
        )
    ).one_or_none()
    return PasswordRow(row[0], row[1], row[2]) if row else None


async def replace_password(
    connection: AsyncConnection,
    user_id: int,
    password_hash: str,
    *,
    instead_of: str | None = None,
) -> bool:
    """Give the account another password; False when it is not the one it should replace."""
    statement = update(users).where(users.c.id == user_id).values(password_hash=password_hash)
    if instead_of is not None:
        statement = statement.where(users.c.password_hash == instead_of)
    return (await connection.execute(statement)).rowcount > 0


def _as_typed(name: str) -> list[str]:
    return [name.strip(), tidy_username(name)]


def _has_name(name: str) -> ColumnElement[bool]:
    """Whether an account has the name, or one that looks like it.

    Without a key are guests without a password, who may be called anything, and older accounts
    whose names look like another's: theirs counts as it is written.
    """
    as_written = and_(
        users.c.username_key.is_(None),
        users.c.password_hash.is_not(None),
        users.c.username.in_(_as_typed(name)),
    )
    return or_(users.c.username_key == username_key(name), as_written)


def _has_email(email: str) -> ColumnElement[bool]:
    as_written = and_(
        users.c.email_key.is_(None),
        users.c.password_hash.is_not(None),
        func.lower(users.c.email) == func.lower(email.strip()),
    )
    return or_(users.c.email_key == email_key(email), as_written)

"""Guests without a password: their accounts, and which address is theirs."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import (
    favourites,
    match_overrides,
    matches,
    memberships,
    photos,
    selfie_indexes,
    users,
)
from libs.common.web.auth import Role
from services.gallery.accounts.names import username_looks


@dataclass(frozen=True, slots=True)
class PersonRow:
    """What a person can change of their account; locked until the transaction ends."""

    user_id: int
    role: Role
    name: str
    email: str | None
    #: An address that was named and not proved yet.
    pending_email: str | None
    language: str | None
    wants_news: bool
    has_password: bool


async def insert_guest(
    connection: AsyncConnection, *, name: str, pending_email: str | None, language: str
) -> int:
    """Return the new guest's id; their name and address are nobody's alone."""
    user_id: int = (
        await connection.execute(
            insert(users)
            .values(
                username=name,
                pending_email=pending_email,
                language=language,
                user_type=Role.PARTICIPANT.value,
            )
            .returning(users.c.id)
        )
    ).scalar_one()
    return user_id


async def looks_like_staff(connection: AsyncConnection, name: str) -> bool:
    """Whether an admin or a photographer has the username, or one that looks like it."""
    found = await connection.scalar(
        select(users.c.id)
        .where(
            users.c.user_type != Role.PARTICIPANT.value,
            or_(
                users.c.username_key.in_(username_looks(name)),
                # Older accounts whose names look like another's.
                and_(users.c.username_key.is_(None), users.c.username == name),
            ),
        )
        .limit(1)
    )
    return found is not None


async def find_person(
    connection: AsyncConnection, user_id: int, *, lock: bool = False
) -> PersonRow | None:
    """Return an active account; None if there is none."""
    query = select(
        users.c.id,
        users.c.user_type,
        users.c.username,
        users.c.email,
        users.c.pending_email,
        users.c.language,
        users.c.wants_news,
        users.c.password_hash.is_not(None),
    ).where(users.c.id == user_id, users.c.is_active)
    if lock:
        query = query.with_for_update(key_share=True)
    row = (await connection.execute(query)).one_or_none()
    return PersonRow(row[0], Role(row[1]), *row[2:]) if row else None


async def change_person(
    connection: AsyncConnection, user_id: int, values: Mapping[str, object]
) -> None:
    """Give columns of the account other values."""
    await connection.execute(update(users).where(users.c.id == user_id).values(dict(values)))


async def prove_email(
    connection: AsyncConnection, user_id: int, *, email: str, email_key: str
) -> bool:
    """Make the address the account's own; False when it is another account's."""
    try:
        async with connection.begin_nested():
            await change_person(
                connection,
                user_id,
                {"email": email, "email_key": email_key, "pending_email": None},
            )
    except IntegrityError:
        return False
    return True


async def events_joined(connection: AsyncConnection, user_id: int) -> set[int]:
    """Return the events that the guest has joined."""
    query = select(memberships.c.event_id).where(memberships.c.user_id == user_id)
    return set(await connection.scalars(query))


async def leave_event(connection: AsyncConnection, user_id: int, event_id: int) -> None:
    """Delete the membership, and then what the event knows of the guest.

    Whoever matches them at this moment has locked the membership, and is waited for.
    """
    of_event = select(photos.c.id).where(photos.c.event_id == event_id)
    for table, where in (
        (memberships, memberships.c.event_id == event_id),
        (matches, matches.c.event_id == event_id),
        (match_overrides, match_overrides.c.event_id == event_id),
        (selfie_indexes, selfie_indexes.c.event_id == event_id),
        (favourites, favourites.c.photo_id.in_(of_event)),
    ):
        await connection.execute(delete(table).where(table.c.user_id == user_id, where))

"""One-time links: kept by their tokens' hashes, and of no use once they were used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import account_links
from services.gallery.links.rules import KINDS, LinkState, Purpose, hash_of, new_token

#: So long, whoever opens a link again is told that it is over, not that there is none.
REMEMBERED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class FoundLink:
    """Whose a link is, and whether it can be used."""

    user_id: int
    purpose: Purpose
    state: LinkState


@dataclass(frozen=True, slots=True)
class UsedLink:
    """Whose link was opened, for what, and which address that proves."""

    user_id: int
    purpose: Purpose
    email: str | None


async def issue_link(
    connection: AsyncConnection, user_id: int, purpose: Purpose, *, email: str | None = None
) -> str:
    """Return the token of a new link, which voids the account's older ones of that purpose."""
    await void_links(connection, user_id, purpose)
    token = new_token()
    await connection.execute(
        insert(account_links).values(
            token_hash=hash_of(token),
            user_id=user_id,
            purpose=purpose.value,
            email=email,
            expires_at=func.now() + KINDS[purpose].lifetime,
        )
    )
    return token


async def find_link(
    connection: AsyncConnection, token: str, *purposes: Purpose
) -> FoundLink | None:
    """Return what a link is for, and whether it can be used; None when there is no such one."""
    row = (
        await connection.execute(
            select(
                account_links.c.user_id,
                account_links.c.purpose,
                and_(
                    account_links.c.used_at.is_(None), account_links.c.expires_at > func.now()
                ).label("is_usable"),
            ).where(_is(token, purposes))
        )
    ).one_or_none()
    if row is None:
        return None
    state = LinkState.USABLE if row.is_usable else LinkState.OVER
    return FoundLink(row.user_id, Purpose(row.purpose), state)


async def use_link(connection: AsyncConnection, token: str, *purposes: Purpose) -> UsedLink | None:
    """Use a link up; None when there is no such one, or it is over.

    The transaction must be committed for it: whoever refuses afterwards leaves it usable.
    """
    row = (
        await connection.execute(
            update(account_links)
            .where(
                _is(token, purposes),
                account_links.c.used_at.is_(None),
                account_links.c.expires_at > func.now(),
            )
            .values(used_at=func.now())
            .returning(account_links.c.user_id, account_links.c.purpose, account_links.c.email)
        )
    ).one_or_none()
    return UsedLink(row.user_id, Purpose(row.purpose), row.email) if row else None


async def void_links(connection: AsyncConnection, user_id: int, *purposes: Purpose) -> None:
    """Make the account's links of these purposes, else all of them, useless."""
    statement = (
        update(account_links)
        .where(account_links.c.user_id == user_id, account_links.c.used_at.is_(None))
        .values(used_at=func.now())
    )
    if purposes:
        statement = statement.where(account_links.c.purpose.in_(purposes))
    await connection.execute(statement)


async def void_links_of_address(
    connection: AsyncConnection, address: str, purpose: Purpose
) -> None:
    """Make the links useless that were sent to this address."""
    await connection.execute(
        update(account_links)
        .where(
            account_links.c.purpose == purpose,
            account_links.c.used_at.is_(None),
            func.lower(account_links.c.email) == func.lower(address),
        )
        .values(used_at=func.now())
    )


async def sweep_links(connection: AsyncConnection) -> None:
    """Forget links that have been over for a day."""
    await connection.execute(
        delete(account_links).where(account_links.c.expires_at <= func.now() - REMEMBERED)
    )


def _is(token: str, purposes: Sequence[Purpose]) -> ColumnElement[bool]:
    return and_(account_links.c.token_hash == hash_of(token), account_links.c.purpose.in_(purposes))

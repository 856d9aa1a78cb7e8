"""Mails that wait, and to whom they go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Float,
    Interval,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import mails, users
from services.gallery.mail.rules import LEASE_SECONDS, MAILS, Template

#: Finished mails that are forgotten in one statement.
SWEPT_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class NewMail:
    """A mail to be sent."""

    template: Template
    recipient: str
    language: str
    user_id: int | None = None
    values: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class WaitingMail:
    """A mail that a sender has in hand."""

    id: int
    template: Template
    recipient: str
    language: str
    user_id: int | None
    values: Mapping[str, object]
    created_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Recipient:
    """The account that a mail is about, as it is now."""

    user_id: int
    email: str | None
    language: str | None
    has_password: bool
    wants_news: bool


@dataclass(frozen=True, slots=True)
class MailBacklog:
    """How many mails wait, for how long the oldest, and how many could not be sent."""

    waiting: int
    oldest_seconds: float
    dead: int


async def insert_mails(connection: AsyncConnection, letters: Sequence[NewMail]) -> None:
    """Put mails in the queue; they are due once the transaction commits."""
    if not letters:
        return
    await connection.execute(
        insert(mails).values(useless_at=func.now() + bindparam("useful", type_=Interval)),
        [
            {
                "user_id": letter.user_id,
                "recipient": letter.recipient,
                "template": letter.template.value,
                "language": letter.language,
                "content": dict(letter.values or {}),
                "useful": MAILS[letter.template].useful,
            }
            for letter in letters
        ],
    )


async def drop_waiting(
    connection: AsyncConnection,
    template: Template,
    *,
    recipient: str | None = None,
    user_id: int | None = None,
) -> None:
    """Forget mails of a kind that wait, to an address or an account: a newer one is to be sent."""
    statement = delete(mails).where(mails.c.status == "waiting", mails.c.template == template.value)
    if recipient is not None:
        statement = statement.where(func.lower(mails.c.recipient) == func.lower(recipient))
    if user_id is not None:
        statement = statement.where(mails.c.user_id == user_id)
    await connection.execute(statement)


async def take_mail(connection: AsyncConnection) -> WaitingMail | None:
    """Take the mail in hand that is due longest; it is nobody else's for `LEASE_SECONDS`."""
    due = (
        select(mails.c.id)
        .where(
            mails.c.status == "waiting",
            mails.c.next_attempt_at <= func.now(),
            mails.c.useless_at > func.now(),
        )
        .order_by(mails.c.next_attempt_at)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    row = (
        await connection.execute(
            update(mails)
            .where(mails.c.id == due)
            .values(
                attempts=mails.c.attempts + 1,
                next_attempt_at=func.now() + timedelta(seconds=LEASE_SECONDS),
            )
            .returning(mails)
        )
    ).one_or_none()
    if row is None:
        return None
    return WaitingMail(
        id=row.id,
        template=Template(row.template),
        recipient=row.recipient,
        language=row.language,
        user_id=row.user_id,
        values=row.content or {},
        created_at=row.created_at,
        attempts=row.attempts,
    )


async def find_recipient(
    connection: AsyncConnection,
    *,
    user_id: int | None,
    address: str = "",
    address_key: str = "",
) -> Recipient | None:
    """Return the account with this id, else with this address; None if there is no active one."""
    which: ColumnElement[bool] = users.c.id == user_id
    if user_id is None:
        # An older account whose address looks like another's has no key.
        as_written = and_(
            users.c.email_key.is_(None),
            users.c.password_hash.is_not(None),
            func.lower(users.c.email) == func.lower(address),
        )
        which = or_(users.c.email_key == address_key, as_written)
    row = (
        await connection.execute(
            select(
                users.c.id,
                users.c.email,
                users.c.language,
                users.c.password_hash.is_not(None).label("has_password"),
                users.c.wants_news,
            )
            .where(which, users.c.is_active)
            .order_by(users.c.email_key.is_(None), users.c.id)
            .limit(1)
        )
    ).one_or_none()
    if row is None:
        return None
    return Recipient(row.id, row.email, row.language, row.has_password, row.wants_news)


async def set_news(connection: AsyncConnection, user_id: int, *, wants_news: bool) -> bool:
    """Whether that changed something."""
    changed = await connection.execute(
        update(users)
        .where(users.c.id == user_id, users.c.wants_news != wants_news)
        .values(wants_news=wants_news)
    )
    return changed.rowcount > 0


async def mail_is_sent(connection: AsyncConnection, mail_id: int, *, user_id: int) -> None:
    """Keep of a mail that it was sent, not what was in it; it goes with the account it was for."""
    await connection.execute(
        update(mails)
        .where(mails.c.id == mail_id)
        .values(status="sent", finished_at=func.now(), content=None, error=None, user_id=user_id)
    )


async def mail_is_dead(
    connection: AsyncConnection, mail_id: int, reason: str, *, user_id: int
) -> None:
    """Give a mail up; it can be sent again by an operator, and goes with the account."""
    await connection.execute(
        update(mails)
        .where(mails.c.id == mail_id)
        .values(status="dead", finished_at=func.now(), error=reason, user_id=user_id)
    )


async def put_mail_off(
    connection: AsyncConnection, mail_id: int, *, seconds: float, reason: str, counts: bool
) -> None:
    """Let a mail wait; an attempt that did not reach the mail server does not count."""
    await connection.execute(
        update(mails)
        .where(mails.c.id == mail_id, mails.c.status == "waiting")
        .values(
            next_attempt_at=func.now() + timedelta(seconds=seconds),
            attempts=mails.c.attempts - (0 if counts else 1),
            error=reason,
        )
    )


async def drop_mail(connection: AsyncConnection, mail_id: int) -> None:
    """Forget a mail that nobody is to get."""
    await connection.execute(delete(mails).where(mails.c.id == mail_id))


async def end_useless_mails(connection: AsyncConnection) -> int:
    """Give up those that could not be sent in time; return how many."""
    ended = await connection.execute(
        update(mails)
        .where(
            mails.c.status == "waiting",
            mails.c.useless_at <= func.now(),
            mails.c.next_attempt_at <= func.now(),
        )
        .values(
            status="dead",
            finished_at=func.now(),
            error=func.concat("not sent in time; ", func.coalesce(mails.c.error, "never tried")),
        )
    )
    return ended.rowcount


async def sweep_mails(connection: AsyncConnection, *, keep: timedelta) -> None:
    """Forget mails that were finished so long ago."""
    old = (
        select(mails.c.id)
        .where(mails.c.finished_at < func.now() - keep)
        .order_by(mails.c.finished_at)
        .limit(SWEPT_AT_ONCE)
    )
    await connection.execute(delete(mails).where(mails.c.id.in_(old)))


async def revive_mails(connection: AsyncConnection) -> int:
    """Have dead mails sent again, with all of their time before them; return how many.

    Those with a one-time link are left out: whoever wants one asks for a new one.
    """
    again = [kind.value for kind, mail in MAILS.items() if mail.link is None]
    revived = await connection.execute(
        update(mails)
        .where(mails.c.status == "dead", mails.c.template.in_(again))
        .values(
            status="waiting",
            finished_at=None,
            attempts=0,
            next_attempt_at=func.now(),
            useless_at=func.now() + (mails.c.useless_at - mails.c.created_at),
        )
    )
    return revived.rowcount


async def backlog(connection: AsyncConnection) -> MailBacklog:
    """Return how the queue is; what waits on purpose after a refusal waits, too."""
    waiting = mails.c.status == "waiting"
    oldest = func.extract("epoch", func.now() - func.min(mails.c.created_at).filter(waiting))
    row = (
        await connection.execute(
            select(
                func.count().filter(waiting).label("waiting"),
                func.coalesce(cast(oldest, Float), 0.0).label("oldest"),
                func.count().filter(mails.c.status == "dead").label("dead"),
            ).where(mails.c.status.in_(["waiting", "dead"]))
        )
    ).one()
    return MailBacklog(row.waiting, row.oldest, row.dead)

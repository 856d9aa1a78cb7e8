"""What an operator does on the machine itself: accounts, events, a look at the state."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from libs.common.database.database import Database
from libs.common.database.tables import dead_letters, events, matches, photos, selfies, users
from libs.common.errors import InvalidInput
from libs.common.messaging import outbox
from libs.common.web.tokens import Role
from services.gallery.accounts.passwords import Passwords
from services.gallery.accounts.registration import create_account
from services.gallery.accounts.rules import NewAccount
from services.gallery.events.changes import CreatedEvent, NewEvent, create_event


async def add_account(database: Database, account: NewAccount, role: Role) -> int:
    """Create an account of any role; return its id. Raises InvalidInput."""
    return await create_account(
        account, role=role, database=database, passwords=Passwords(at_once=1)
    )


async def add_event(
    database: Database, *, name: str, photographer: str, code: str | None, days: int
) -> CreatedEvent:
    """Create an event for the photographer with that username. Raises InvalidInput."""
    async with database.unit_of_work() as unit:
        photographer_id = await unit.connection.scalar(
            select(users.c.id).where(users.c.username == photographer)
        )
        if photographer_id is None:
            msg = f"There is no photographer {photographer!r}: `findme photographer create` first."
            raise InvalidInput(msg)
        return await create_event(
            NewEvent(
                name=name,
                lifetime=timedelta(days=days),
                event_code=code,
                photographer_id=photographer_id,
            ),
            unit=unit,
        )


@dataclass(frozen=True, slots=True)
class Status:
    """How much there is, and how much of it waits."""

    accounts: int
    events: int
    selfies: int
    matches: int
    photos: dict[str, int]
    photos_by_engine: dict[str, int]
    outbox_messages: int
    outbox_oldest_seconds: float
    dead_letters: int


async def read_status(database: Database) -> Status:
    """Count what the database holds."""
    async with database.read() as connection:
        counts = [
            await connection.scalar(select(func.count()).select_from(table)) or 0
            for table in (users, events, selfies, matches, dead_letters)
        ]
        by_status = await connection.execute(
            select(photos.c.processing_status, func.count().label("photos")).group_by(
                photos.c.processing_status
            )
        )
        by_engine = await connection.execute(
            select(photos.c.engine, func.count().label("photos"))
            .where(photos.c.engine.is_not(None))
            .group_by(photos.c.engine)
            .order_by(photos.c.engine)
        )
        depth, age = await outbox.backlog(connection)
        return Status(
            accounts=counts[0],
            events=counts[1],
            selfies=counts[2],
            matches=counts[3],
            photos={row.processing_status: row.photos for row in by_status},
            photos_by_engine={row.engine: row.photos for row in by_engine},
            outbox_messages=depth,
            outbox_oldest_seconds=age,
            dead_letters=counts[4],
        )

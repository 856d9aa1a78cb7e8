"""All SQL of `findme doctor`."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from libs.common.database.database import Database
from libs.common.database.tables import events, photos, users
from libs.common.web.auth import Role


@dataclass(frozen=True, slots=True)
class Rows:
    """What the database says of tomorrow."""

    now: datetime
    admins: int
    photographers: int
    #: By name, of events that are open.
    ends: dict[str, datetime]
    #: On average, of the newest ones.
    photo_bytes: float | None


async def read_rows(database: Database) -> Rows:
    """Look at accounts, events and photos."""
    async with database.read(patient=True) as connection:
        now: datetime = (await connection.execute(select(func.now()))).scalar_one()
        counted = await connection.execute(
            select(users.c.user_type, func.count())
            .where(users.c.is_active, users.c.user_type != Role.PARTICIPANT.value)
            .group_by(users.c.user_type)
        )
        by_role = {row[0]: row[1] for row in counted}
        ends = await connection.execute(
            select(events.c.name, events.c.expires_at)
            .where(events.c.expires_at > func.now())
            .order_by(events.c.expires_at)
        )
        newest = select(photos.c.size_bytes).order_by(photos.c.id.desc()).limit(1000).subquery()
        average = await connection.scalar(select(func.avg(newest.c.size_bytes)))
        return Rows(
            now=now,
            admins=by_role.get(Role.ADMIN.value, 0),
            photographers=by_role.get(Role.PHOTOGRAPHER.value, 0),
            ends={row.name: row.expires_at for row in ends},
            photo_bytes=None if average is None else float(average),
        )

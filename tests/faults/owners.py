"""Which process owns the match partitions."""

import re
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import text

from libs.common.database.database import Database
from tests.faults.processes import Service


async def busiest_owner(database: Database, replicas: Sequence[Service]) -> Service:
    """The replica that owns the most match partitions; owners' names contain their pid.

    The first one while nobody's name is known.
    """
    async with database.read() as connection:
        owners = await connection.scalars(
            text(
                "SELECT owner FROM match_partitions WHERE owner IS NOT NULL AND lease_until > now()"
            )
        )
        shares = Counter(number for owner in owners for number in re.findall(r"\d+", owner))
    return max(replicas, key=lambda replica: shares[str(replica.pid)])


async def survive_kills(database: Database) -> None:
    """Have every later connection wait for its commits to be written.

    The test server runs without: a SIGKILL would lose what it committed in the last moments.
    """
    async with database.unit_of_work() as unit:
        name = await unit.connection.scalar(text("SELECT current_database()"))
        await unit.connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = on'))

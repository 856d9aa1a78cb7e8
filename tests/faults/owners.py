"""Which process owns the match partitions."""

import re
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import text

from libs.common.database.database import Database
from tests.faults.processes import Service


async def busiest_owner(database: Database, replicas: Sequence[Service]) -> Service:
    """The replica that owns the most match partitions; the first one while nobody owns any."""
    owned = await shares(database)
    return max(replicas, key=lambda replica: owned[str(replica.pid)])


async def shares(database: Database) -> Counter[str]:
    """How many match partitions each process owns, by pid: owners' names contain it."""
    async with database.read() as connection:
        owners = await connection.scalars(
            text(
                "SELECT owner FROM match_partitions WHERE owner IS NOT NULL AND lease_until > now()"
            )
        )
        return Counter(number for owner in owners for number in re.findall(r"\d+", owner))

"""Looks everywhere for what should be gone: in every column of every table."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Table, select, text

from libs.common.database.database import Database
from libs.common.database.tables import metadata

#: Ids of different tables, and of different rows, are told apart by their numbers alone; with no
#: row of zeros, as 0.1 in single precision is 0.100000001… and holds such a number.
FIRST_ID = 70_370_001
IDS_PER_TABLE = 1_000_000

#: Bytes (an embedding, a digest), texts and ids.
Needle = bytes | str | int


async def spread_ids(database: Database) -> None:
    """Have every table count from a number of its own, too long to be in a text by chance."""
    async with database.unit_of_work() as unit:
        for number, table in enumerate(_tables()):
            if "id" in table.c and table.c.id.identity is not None:
                first = FIRST_ID + number * IDS_PER_TABLE
                await unit.connection.execute(
                    text(f"ALTER TABLE {table.name} ALTER COLUMN id RESTART WITH {first}")
                )


async def find_traces(
    database: Database,
    needles: Collection[Needle],
    *,
    ids_may_be_in: Collection[str] = (),
    numbers_may_be_in: Collection[str] = (),
) -> list[str]:
    """Return `table.column` of each value that holds one of the needles.

    Some tables may hold ids and names, but no bytes; some numbers alone.
    """
    found = []
    everything, only_bytes = needles, [item for item in needles if isinstance(item, bytes)]
    no_numbers = [item for item in needles if not isinstance(item, int)]
    for table in _tables():
        needles = only_bytes if table.name in ids_may_be_in else everything
        needles = no_numbers if table.name in numbers_may_be_in else needles
        async with database.read() as connection:
            rows = (await connection.execute(select(table))).mappings().all()
        found += [
            f"{table.name}.{column}" for row in rows for column in _columns_with(row, needles)
        ]
    return found


def _tables() -> list[Table]:
    return sorted(metadata.tables.values(), key=lambda table: table.name)


def _columns_with(row: Mapping[Any, Any], needles: Collection[Needle]) -> list[str]:
    return [
        str(column)
        for column, value in row.items()
        if any(_holds(value, needle) for needle in needles)
    ]


def _holds(value: object, needle: Needle) -> bool:
    if isinstance(needle, bytes):
        return isinstance(value, bytes) and needle in value
    in_words = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return str(needle) in in_words

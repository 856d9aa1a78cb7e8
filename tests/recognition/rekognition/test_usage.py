import pytest
from sqlalchemy import text

from libs.common.resources import Resources
from services.recognition.indexes.rekognition.repository import add_calls
from services.recognition.indexes.rekognition.usage import counting
from tests.support.polling import eventually

REFUSING = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '{sqlstate}'; END $$
"""


@pytest.mark.parametrize("sqlstate", ["40P01", "40001", "22003"])
async def test_calls_that_could_not_be_written_are_written_later(
    resources: Resources, sqlstate: str
) -> None:
    """A deadlock, a serialisation failure, and an error of another kind."""
    database = resources.database
    async with database.unit_of_work() as unit:
        await unit.connection.execute(text(REFUSING.format(sqlstate=sqlstate)))
        await unit.connection.execute(
            text(
                "CREATE TRIGGER refuse BEFORE INSERT ON aws_usage"
                " FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
        )
    refused = 0

    async with counting(database, price_per_call=0.001) as usage:
        flush = usage.flush

        async def observed() -> None:
            nonlocal refused
            try:
                await flush()
            except Exception:
                refused += 1
                raise

        usage.flush = observed  # type: ignore[method-assign]
        usage.add(7, "IndexFaces")
        await eventually(lambda: refused)
        async with database.unit_of_work() as unit:
            await unit.connection.execute(text("DROP FUNCTION refuse CASCADE"))

        async def is_written() -> bool:
            async with database.read() as connection:
                rows = await connection.execute(
                    text("SELECT event_id, operation, calls FROM aws_usage")
                )
                return [tuple(row) for row in rows] == [(7, "IndexFaces", 1)]

        await eventually(is_written)


async def test_calls_are_counted_on_the_day_they_were_made_by_the_databases_clock(
    resources: Resources,
) -> None:
    """However long they waited to be written, and whatever this machine's clock says."""
    database = resources.database
    day = 24 * 60
    async with database.unit_of_work() as unit:
        await add_calls(
            unit.connection,
            {(7, "IndexFaces", 0): 2, (7, "IndexFaces", 3 * day): 4, (7, "SearchFaces", 0): 1}
            | {(7, "IndexFaces", number * day): 1 for number in (4, 5)},
        )
        rows = await unit.connection.execute(
            text(
                "SELECT operation, CAST(now() AT TIME ZONE 'UTC' AS date) - day, calls"
                " FROM aws_usage ORDER BY 1, 2"
            )
        )
        assert [tuple(row) for row in rows] == [
            ("IndexFaces", 0, 2),
            ("IndexFaces", 3, 4),
            ("IndexFaces", 4, 1),
            ("IndexFaces", 5, 1),
            ("SearchFaces", 0, 1),
        ]


async def test_calls_of_several_minutes_of_one_day_are_one_row(resources: Resources) -> None:
    async with resources.database.unit_of_work() as unit:
        await add_calls(unit.connection, {(7, "IndexFaces", minute): 1 for minute in range(3)})
        numbers = await unit.connection.scalars(text("SELECT calls FROM aws_usage"))
        # Two rows around midnight.
        assert sum(numbers) == 3

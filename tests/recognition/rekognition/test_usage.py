import pytest
from sqlalchemy import text

from libs.common.resources import Resources
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

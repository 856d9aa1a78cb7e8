import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli.app import app
from libs.common.database.database import Database
from libs.common.messaging.bus.open import open_bus
from libs.common.messaging.bus.rabbitmq import declare
from libs.common.messaging.bus.topology import bucket_of, findme_topology
from libs.common.messaging.messages import PhotoAnalyzed
from libs.common.settings import CommonSettings
from services.recognition.partitions import repository as leases
from tests.support.settings import settings_of

#: The words of each row of the table.
Partitions = Callable[..., Awaitable[list[list[str]]]]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database.open(settings_of(CommonSettings, database_url)) as database:
        yield database


@pytest.fixture
def partitions(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Partitions:
    """Run `findme partitions` on a wide terminal."""
    monkeypatch.setattr("cli.partitions.console", Console(width=200))

    async def run(**environment: str) -> list[list[str]]:
        # A thread of its own, as the command has an event loop of its own.
        result = await asyncio.to_thread(
            CliRunner().invoke,
            app,
            ["partitions", "--data-dir", str(tmp_path)],
            env={"DATABASE_URL": database_url} | environment,
        )
        assert result.exit_code == 0, result.output
        rows = [line.replace("│", " ").split() for line in result.output.splitlines()]
        return [row for row in rows if row and row[0].isdigit()] or rows

    return run


async def own_some(database: Database) -> None:
    """Partition 3 is owned, 4 was given back, the others were never claimed."""
    async with database.read() as connection:
        await leases.add_missing(connection, range(16))
        await leases.claim(connection, "host:1:abcd", [3, 4], lease_seconds=60)
        await leases.release(connection, "host:1:abcd", {4: 1})


async def test_before_the_first_start_it_says_that_there_are_none(partitions: Partitions) -> None:
    assert "no partitions" in " ".join((await partitions())[0])


async def test_it_shows_owner_epoch_and_lease_of_every_partition(
    partitions: Partitions, database: Database
) -> None:
    await own_some(database)
    rows = await partitions()
    assert [row[0] for row in rows] == [f"{partition:02d}" for partition in range(16)]
    assert rows[3][1:3] == ["host:1:abcd", "1"]
    assert 50 < float(rows[3][3]) <= 60
    assert rows[4][1:4] == ["-", "1", "-"]
    assert rows[5][1:4] == ["-", "0", "-"]


async def test_without_a_broker_the_lag_is_the_photos_that_wait_for_their_match(
    partitions: Partitions, database: Database
) -> None:
    await own_some(database)
    async with database.unit_of_work() as unit:
        event = await unit.connection.exec_driver_sql(
            "INSERT INTO events (name, event_code, code_key, expires_at)"
            " VALUES ('e', 'e', 'e', now()) RETURNING id"
        )
        event_id = event.scalar_one()
        await unit.connection.exec_driver_sql(
            "INSERT INTO photos (event_id, filename, original_filename, content_type, sha256,"
            " crc32, size_bytes, width, height, processing_status)"
            f" SELECT {event_id}, 'p' || n, 'p', 'image/jpeg', '', 0, 1, 1, 1,"
            " CASE WHEN n > 2 THEN 'analyzed' ELSE 'done' END FROM generate_series(1, 5) n"
        )
    lags = [int(row[-3]) for row in await partitions()]
    assert lags[bucket_of(event_id)] == 3
    assert sum(lags) == 3


async def test_with_a_broker_the_lag_is_the_messages_in_the_partitions_queue(
    partitions: Partitions, database: Database, amqp_url: str
) -> None:
    await own_some(database)
    await declare(amqp_url, findme_topology())
    async with open_bus(amqp_url, findme_topology()) as bus:
        for number in range(3):
            await bus.publish(PhotoAnalyzed(event_id=7, photo_id=number).outgoing(str(number)))
    lags = [int(row[-3]) for row in await partitions(AMQP_URL=amqp_url)]
    assert lags[bucket_of(7)] == 3
    assert sum(lags) == 3

"""What reads for long takes half of the connections at most."""

import asyncio

import pytest

from libs.common.database.connections import DatabaseUnavailable
from libs.common.database.database import Database
from libs.common.settings import KEPT_CONNECTIONS, CommonSettings
from tests.support.polling import PATIENCE_SECONDS, eventually


async def test_scans_wait_for_each_other_and_nobody_waits_for_scans(
    settings: CommonSettings,
) -> None:
    small = settings.model_copy(update={"db_pool_size": 2, "db_max_overflow": 6})
    release = asyncio.Event()
    reading = 0

    async def scan(database: Database) -> None:
        nonlocal reading
        async with database.scan():
            reading += 1
            await release.wait()

    async with Database.open(small) as database, asyncio.TaskGroup() as scans:
        for _ in range(2 * small.db_connections):
            scans.create_task(scan(database))
        await eventually(lambda: reading == small.db_scans_at_once == 3)
        others = small.db_connections - small.db_scans_at_once
        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as checks:
            for _ in range(3 * others):
                checks.create_task(database.check())
        assert (reading, others - KEPT_CONNECTIONS) == (3, 3)
        release.set()
    assert reading == 2 * small.db_connections


async def test_who_looks_whether_it_works_waits_for_nobody(settings: CommonSettings) -> None:
    small = settings.model_copy(
        update={"db_pool_size": 2, "db_max_overflow": 3, "db_pool_timeout": 600}
    )
    release = asyncio.Event()
    held = 0

    async def hold(database: Database) -> None:
        nonlocal held
        async with database.read():
            held += 1
            await release.wait()

    async with Database.open(small) as database, asyncio.TaskGroup() as holding:
        for _ in range(2 * small.db_connections):
            holding.create_task(hold(database))
        await eventually(lambda: held >= small.db_connections - 1)
        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as looks:
            for _ in range(5):
                looks.create_task(database.check())
                looks.create_task(database.check_primary())
        assert held == small.db_connections - 1
        release.set()
    assert held == 2 * small.db_connections


async def test_who_waits_too_long_for_a_turn_is_told_to_come_back(
    settings: CommonSettings,
) -> None:
    small = settings.model_copy(
        update={"db_pool_size": 2, "db_max_overflow": 2, "db_pool_timeout": 0.05}
    )
    async with Database.open(small) as database, database.scan():
        with pytest.raises(DatabaseUnavailable, match="Try again in a few seconds"):
            await database.scan().__aenter__()
        await database.check()

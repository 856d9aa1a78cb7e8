"""Eighty wrong logins at once beside a right one: how long the right one waits.

The gallery with its passwords hashed as in production (Argon2id, two at once), called without a
socket. The wrong ones are for eighty accounts, from one address. The right one comes from another
address, whose turn comes in between, and from the same one, where it waits in one line with them,
as all logins did before hashing went round by address.

python -m benchmarks.logins [--quick] [--json FILE]
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI

from benchmarks.report import Goal, Report, main
from libs.common.database.database import Database
from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.bus.topology import findme_topology
from libs.common.resources import Resources
from libs.common.storage.folder import FolderStore
from services.gallery.app import create_app
from services.gallery.settings import GallerySettings
from tests.support.databases import migrated_databases
from tests.support.postgres import running_postgres
from tests.support.rows import Rows
from tests.support.settings import settings_of

WRONG_AT_ONCE = 80
ROUNDS, QUICK_ROUNDS = 7, 3
PASSWORD = "Quiet-Lake-12"
ATTACKER, ELSEWHERE = "192.0.2.1", "192.0.2.2"
GOALS = {"rush_ratio": Goal("<=", 4)}


def measure(quick: bool) -> Report:  # noqa: FBT001 - as `main` calls it
    """Measure all, interleaved."""
    return asyncio.run(_measure(QUICK_ROUNDS if quick else ROUNDS))


async def _measure(rounds: int) -> Report:
    report = Report("logins", GOALS)
    alone, elsewhere, same = [], [], []
    async with _gallery() as (app, rows):
        password_hash = await app.state.gallery.passwords.hash(PASSWORD)
        person = await rows.person(password_hash=password_hash)
        for number in range(rounds):
            alone.append(await _login_seconds(app, ELSEWHERE, person.name))
            elsewhere.append(await _beside_rush(app, ELSEWHERE, person.name, f"a{number}"))
            same.append(await _beside_rush(app, ATTACKER, person.name, f"b{number}"))
    report.figures["wrong_at_once"] = WRONG_AT_ONCE
    report.figures["alone_s"] = round(statistics.median(alone), 3)
    report.figures["beside_rush_s"] = round(statistics.median(elsewhere), 3)
    report.figures["in_one_line_s"] = round(statistics.median(same), 3)
    report.figures["rush_ratio"] = round(statistics.median(elsewhere) / statistics.median(alone), 2)
    report.figures["one_line_ratio"] = round(statistics.median(same) / statistics.median(alone), 2)
    return report


async def _beside_rush(app: FastAPI, address: str, name: str, rush: str) -> float:
    """Return how long a login takes that comes right after the wrong ones."""
    async with _client(app, ATTACKER) as attacker:
        wrong = [
            asyncio.create_task(_log_in(attacker, f"{rush}-{number}", "Wrong-Lake-12"))
            for number in range(WRONG_AT_ONCE)
        ]
        # All have come that far that they wait to be hashed.
        while app.state.gallery.passwords.waiting < 1:  # noqa: ASYNC110 - a benchmark's poll
            await asyncio.sleep(0.001)
        seconds = await _login_seconds(app, address, name)
        statuses = {answer.status_code for answer in await asyncio.gather(*wrong)}
    if statuses != {401}:
        msg = f"the wrong logins were answered {statuses}"
        raise RuntimeError(msg)
    return seconds


async def _login_seconds(app: FastAPI, address: str, name: str) -> float:
    async with _client(app, address) as client:
        began = time.perf_counter()
        answer = await _log_in(client, name, PASSWORD)
        seconds = time.perf_counter() - began
    answer.raise_for_status()
    return seconds


async def _log_in(client: httpx.AsyncClient, name: str, password: str) -> httpx.Response:
    return await client.post("/api/login", json={"username": name, "password": password})


@asynccontextmanager
async def _client(app: FastAPI, address: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, client=(address, 1))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://findme.test", timeout=120
    ) as client:
        yield client


@asynccontextmanager
async def _gallery() -> AsyncIterator[tuple[FastAPI, Rows]]:
    topology = findme_topology()
    async with AsyncExitStack() as running:
        postgres = running.enter_context(running_postgres(durable=True))
        databases = running.enter_context(migrated_databases(postgres))
        url = await running.enter_async_context(databases.fresh())
        folder = running.enter_context(tempfile.TemporaryDirectory())
        # Of one address more than the wrong ones of all rounds are let in, so that all are hashed.
        settings = settings_of(GallerySettings, url, limits_scale=100)
        database = await running.enter_async_context(Database.open(settings))
        bus = InProcessBus(topology)
        running.push_async_callback(bus.close)
        store = await FolderStore.open(Path(folder))
        app = create_app(settings, Resources(database, bus, store, topology))
        await running.enter_async_context(app.router.lifespan_context(app))
        yield app, Rows(database)


if __name__ == "__main__":
    main(measure)

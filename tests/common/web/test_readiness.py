"""Readiness looks at what a service needs, tells of the rest, and never piles up on slow things."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from libs.common.database.database import Database
from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.bus.topology import findme_topology
from libs.common.resources import Resources
from libs.common.settings import CommonSettings
from libs.common.storage.folder import FolderStore
from libs.common.storage.protocol import StoreUnavailable
from libs.common.web import health
from libs.common.web.health import Check
from libs.common.web.service_app import Dependency, build_app
from tests.support.http_server import calling
from tests.support.polling import eventually

NEVER_SECONDS = 3600.0


class Slow:
    """Something that answers when it is let, and counts who asks."""

    def __init__(self) -> None:
        self.calls = 0
        self.answers = asyncio.Event()
        self.minds_its_end = True

    async def check(self) -> None:
        self.calls += 1
        try:
            await self.answers.wait()
        except asyncio.CancelledError:
            if self.minds_its_end:
                raise
            await self.answers.wait()


class SlowStore(FolderStore):
    """A store whose readiness waits for `slow`."""

    slow: Slow

    async def check(self) -> None:
        await self.slow.check()


async def test_all_who_ask_meanwhile_share_one_look_and_those_after_it_its_outcome(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_SECONDS", NEVER_SECONDS)
    monkeypatch.setattr(health, "FRESH_SECONDS", NEVER_SECONDS)
    slow = Slow()
    check = Check(slow.check)
    askers = [asyncio.create_task(check.outcome(is_patient=True)) for _ in range(20)]
    await eventually(lambda: slow.calls)
    slow.answers.set()
    assert await asyncio.gather(*askers) == ["ok"] * 20
    assert await check.outcome(is_patient=True) == "ok"
    assert slow.calls == 1


async def test_an_outcome_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FRESH_SECONDS", 0.0)
    slow = Slow()
    slow.answers.set()
    check = Check(slow.check)
    assert [await check.outcome(is_patient=True) for _ in range(2)] == ["ok", "ok"]
    assert slow.calls == 2


async def test_what_does_not_answer_is_not_asked_again_before_it_has_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_SECONDS", 0.01)
    monkeypatch.setattr(health, "FRESH_SECONDS", 0.0)
    slow = Slow()
    slow.minds_its_end = False
    check = Check(slow.check)
    for _ in range(3):
        assert "no answer" in await check.outcome(is_patient=True)
    assert slow.calls == 1

    slow.answers.set()

    async def is_well() -> bool:
        return await check.outcome(is_patient=True) == "ok"

    await eventually(is_well)


@contextlib.asynccontextmanager
async def service(
    settings: CommonSettings,
    folder: Path,
    *,
    needs: set[Dependency],
    tells: set[Dependency],
) -> AsyncIterator[tuple[httpx.AsyncClient, Slow]]:
    """A service of which the store does not answer; everything else does."""

    @contextlib.asynccontextmanager
    async def start(_: FastAPI, __: Resources) -> AsyncIterator[None]:
        yield

    store = await SlowStore.open(folder)
    assert isinstance(store, SlowStore)
    store.slow = Slow()
    topology = findme_topology()
    async with Database.open(settings) as database:
        bus = InProcessBus(topology)
        resources = Resources(database=database, bus=bus, store=store, topology=topology)
        app = build_app(
            "test",
            settings=settings,
            resources=resources,
            routers=[],
            start=start,
            needs=needs,
            tells=tells,
        )
        async with calling(app) as client:
            yield client, store.slow
        await bus.close()


async def test_a_store_that_does_not_answer_is_told_of_at_once_where_requests_do_without_it(
    settings: CommonSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_SECONDS", NEVER_SECONDS)
    async with service(
        settings, tmp_path, needs={Dependency.DATABASE}, tells={Dependency.STORE}
    ) as (client, slow):
        answers = [await client.get("/readyz") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 3
        assert answers[-1].json()["checks"]["store"] == "no answer yet"
        assert slow.calls == 1


async def test_a_store_that_does_not_answer_makes_those_unready_who_need_it(
    settings: CommonSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(health, "FRESH_SECONDS", 0.0)
    async with service(settings, tmp_path, needs={Dependency.STORE}, tells=set()) as (client, slow):
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
        slow.answers.set()

        async def is_ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        await eventually(is_ready)


async def test_what_a_service_does_without_is_not_looked_at(
    settings: CommonSettings, tmp_path: Path
) -> None:
    async with service(
        settings, tmp_path, needs={Dependency.DATABASE}, tells={Dependency.PRIMARY}
    ) as (client, slow):
        answer = await client.get("/readyz")
        assert answer.json()["checks"].keys() == {"tasks", "relay", "database", "primary"}
        assert slow.calls == 0


async def test_what_is_told_of_says_its_error_and_leaves_the_service_ready(
    settings: CommonSettings, tmp_path: Path
) -> None:
    async with service(settings, tmp_path, needs=set(), tells={Dependency.STORE}) as (client, slow):

        async def refuses() -> None:
            raise StoreUnavailable("The photo store refused: SlowDown.")

        slow.check = refuses  # type: ignore[method-assign]
        answer = await client.get("/readyz")
        assert answer.status_code == 200
        assert answer.json()["checks"]["store"] == "The photo store refused: SlowDown."

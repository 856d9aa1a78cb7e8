"""Agent mode, and logins that end, on all services behind their gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import delete

from findme_watch.settings import parse
from findme_watch.telling import What
from findme_watch.watch import watch
from libs.common import tasks
from libs.common.database.tables import sessions
from libs.common.web.auth import Role
from standalone.app import gateway_app
from tests.support.http_server import serving
from tests.support.image_files import image_file
from tests.support.people import Person
from tests.support.polling import eventually
from tests.support.stack import running_stack
from tests.support.world import World
from tests.watcher.conftest import Heard, sent_photos

PASSWORD = "a Password of tests 1!"
HASH = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
WATCHERS = "/api/admin/local-watchers"


@dataclass
class Studio:
    """A photographer with a password, and all services."""

    url: str
    photographer: Person
    event_id: int
    world: World
    client: httpx.AsyncClient
    folder: Path

    def options(self, *more: str) -> list[str]:
        return [
            *("--url", self.url, "--user", self.photographer.name, "--password", PASSWORD),
            *("--state", str(self.folder / "state/manifest.sqlite3"), "--still", "0.05", *more),
        ]

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        answer = await self.client.request(
            method, f"{WATCHERS}{path}", json=body, headers=self.photographer.headers
        )
        answer.raise_for_status()
        return answer.json()

    async def names(self) -> list[str]:
        found = await sent_photos(self.world, self.event_id)
        return sorted(name for name, _ in found.elements())


@asynccontextmanager
async def running(watching: asyncio.Task[int]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await tasks.end(watching)


@pytest.fixture
async def studio(database_url: str, tmp_path: Path) -> AsyncIterator[Studio]:
    async with (
        running_stack(database_url, photo_store_dir=tmp_path / "objects") as stack,
        serving(gateway_app(stack.services)) as url,
    ):
        photographer = await stack.world.person(Role.PHOTOGRAPHER, password_hash=HASH)
        event_id = await stack.world.event(photographer)
        yield Studio(url, photographer, event_id, stack.world, stack.client, tmp_path)


async def test_a_login_that_has_ended_is_made_again(studio: Studio) -> None:
    folder = studio.folder / "photos"
    folder.mkdir()
    heard = Heard()
    options = studio.options("--polling", "always", "--poll-seconds", "0.05")
    watching = asyncio.create_task(watch(parse([str(folder), *options], {}), heard))
    async with running(watching):
        (folder / "a.jpg").write_bytes(image_file(seed=1))
        await eventually(lambda: heard.names(What.SENT) == ["a.jpg"])
        await studio.world.execute(delete(sessions))
        (folder / "b.jpg").write_bytes(image_file(seed=2))
        await eventually(lambda: len(heard.names(What.SENT)) == 2)
    assert not heard.reasons(What.PROBLEM)


async def test_an_agent_follows_the_server_and_says_how_it_is(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("findme_watch.agent.BEAT_SECONDS", 0.05)
    first, second = studio.folder / "first", studio.folder / "second"
    first.mkdir()
    (first / "a.jpg").write_bytes(image_file(seed=1))
    made = await studio.ask(
        "POST",
        "",
        {"event_id": studio.event_id, "machine_label": "studio-pc", "expected_path": str(first)},
    )
    one = f"/{made['id']}"
    heard = Heard()
    options = studio.options("--agent", "--machine", "studio-pc")
    watching = asyncio.create_task(watch(parse(options, {}), heard))

    async def how() -> dict[str, Any]:
        [watcher] = await studio.ask("GET", "")
        found: dict[str, Any] = watcher
        return found

    async with running(watching):
        await eventually(lambda: heard.names(What.SENT) == ["a.jpg"])
        found = await how()
        assert (found["status"], found["last_error"]) == ("active", None)
        assert found["stats"] == {"ingested": 1, "failed": 0, "total": 1}

        await studio.ask("PUT", one, {"expected_path": str(second), "move_uploaded_dir": "sent"})

        async def has_problem() -> bool:
            return "The folder cannot be read" in ((await how())["last_error"] or "")

        await eventually(has_problem)
        second.mkdir()
        (second / "b.jpg").write_bytes(image_file(seed=2))
        await eventually((second / "sent/b.jpg").exists)

        await studio.ask("PUT", one, {"move_uploaded_dir": "../second"})

        async def moves_into_itself() -> bool:
            return "folder itself" in ((await how())["last_error"] or "")

        await eventually(moves_into_itself)
        assert any("folder itself" in reason for reason in heard.reasons(What.PROBLEM))
        await studio.ask("PUT", one, {"move_uploaded_dir": "sent"})
        await eventually(lambda: heard.reasons(What.NOTICE)[-1] == "is watched now.")

        await studio.ask("PUT", one, {"listening": False})
        await eventually(lambda: "is not watched any more." in heard.reasons(What.NOTICE)[-1])
        (second / "c.jpg").write_bytes(image_file(seed=3))
        await studio.ask("DELETE", one)
        await eventually(lambda: any("names no folder" in r for r in heard.reasons(What.PROBLEM)))
    assert await studio.names() == ["a.jpg", "b.jpg"]

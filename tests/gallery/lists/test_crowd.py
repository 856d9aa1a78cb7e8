"""200 guests ask at once, and the service has five connections to its database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from libs.common.database.database import Database
from libs.common.messaging.messages import PhotoMatched
from services.gallery import gallery as gallery_module
from services.gallery.app import create_app
from services.gallery.gallery import Gallery
from services.gallery.settings import GallerySettings
from tests.gallery.streams import open_stream
from tests.support.http_server import serving
from tests.support.people import Person
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.rows import Rows
from tests.support.settings import settings_of

GUESTS = 200


@dataclass(frozen=True)
class Crowd:
    """A service on real sockets, and an event whose guests ask for their photos."""

    gallery: Gallery
    client: httpx.AsyncClient
    rows: Rows
    event_id: int

    async def guests(self, count: int) -> list[Person]:
        return [await self.rows.person(joined=self.event_id) for _ in range(count)]

    def ask(self, guest: Person, limit: int = 10) -> "asyncio.Task[httpx.Response]":
        path = f"/api/my-photos?limit={limit}"
        return asyncio.create_task(self.client.get(path, headers=guest.headers))

    async def are_waiting(self, count: int) -> None:
        await eventually(lambda: self.gallery.list_loads.waiting == count)

    @asynccontextmanager
    async def no_list_can_be_read(self) -> AsyncIterator[None]:
        async with self.rows.database.unit_of_work(patient=True) as unit:
            await unit.connection.execute(text("LOCK TABLE photos IN ACCESS EXCLUSIVE MODE"))
            yield


@pytest.fixture
async def crowd(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Crowd]:
    # Nobody gives up but who is to.
    monkeypatch.setattr(gallery_module, "LIST_TURN_SECONDS", PATIENCE_SECONDS)
    settings = settings_of(
        GallerySettings,
        database_url,
        photo_store_dir=tmp_path,
        db_pool_size=5,
        db_max_overflow=0,
        db_lock_timeout=PATIENCE_SECONDS,
        db_command_timeout=PATIENCE_SECONDS,
        db_pool_timeout=PATIENCE_SECONDS,
    )
    app = create_app(settings)
    async with (
        Database.open(settings.model_copy(update={"db_pool_size": 10})) as others,
        app.router.lifespan_context(app),
        serving(app) as url,
        httpx.AsyncClient(
            base_url=url, timeout=PATIENCE_SECONDS, limits=httpx.Limits(max_connections=None)
        ) as client,
    ):
        rows = Rows(others)
        yield Crowd(app.state.gallery, client, rows, await rows.event())


async def test_all_get_their_lists_in_turn_and_neither_readiness_nor_streams_wait_for_them(
    crowd: Crowd,
) -> None:
    watcher, *guests = await crowd.guests(GUESTS + 1)
    async with crowd.no_list_can_be_read():
        lists = [crowd.ask(guest) for guest in guests]
        await crowd.are_waiting(GUESTS - 1)
        ready = [await crowd.client.get("/readyz") for _ in range(3)]
        assert [answer.status_code for answer in ready] == [200] * 3, ready[0].text
        async with open_stream(crowd.client, crowd.event_id, watcher.headers) as stream:
            async with crowd.rows.database.unit_of_work() as unit:
                unit.publish(
                    PhotoMatched(event_id=crowd.event_id, photo_id=7, user_ids=(watcher.id,))
                )
            assert await stream.wait_for(1) == [("photo.matched", {"photo_id": 7})]
        assert not any(task.done() for task in lists)
    answers = await asyncio.gather(*lists)
    assert {answer.status_code for answer in answers} == {200}


async def test_who_asks_for_much_waits_for_their_own(crowd: Crowd) -> None:
    greedy, *others = await crowd.guests(6)
    finished: list[int] = []
    async with crowd.no_list_can_be_read():
        lists = [crowd.ask(greedy, limit) for limit in range(1, 51)]
        await crowd.are_waiting(49)
        lists += [crowd.ask(guest) for guest in others]
        await crowd.are_waiting(54)
        for number, task in enumerate(lists):
            task.add_done_callback(lambda _, number=number: finished.append(number))  # type: ignore[misc]
    await asyncio.gather(*lists)
    last_of_others = max(finished.index(number) for number in range(50, 55))
    assert last_of_others < 25, "fifty of one account were read first"


async def test_who_cannot_have_a_turn_is_told_when_to_come_back(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    guests = await crowd.guests(20)
    monkeypatch.setattr(crowd.gallery.list_loads, "_patience_seconds", 0.2)
    async with crowd.no_list_can_be_read():
        lists = [crowd.ask(guest) for guest in guests]
        await eventually(lambda: sum(task.done() for task in lists) == len(guests) - 1)
        refused = [task.result() for task in lists if task.done()]
    assert {answer.status_code for answer in refused} == {503}
    assert {answer.headers["Retry-After"] for answer in refused} == {"5"}
    answers = await asyncio.gather(*lists)
    assert [answer.status_code for answer in answers].count(200) == 1
    assert (await crowd.ask(guests[0])).status_code == 200

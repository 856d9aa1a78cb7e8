"""Lists that are read at once: they take neither all memory nor all connections; others go on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from sqlalchemy import text

from libs.common.database.database import Database
from libs.common.web.auth import Role
from services.gallery.app import create_app
from services.gallery.gallery import Gallery
from services.gallery.settings import GallerySettings
from tests.support.http_server import calling
from tests.support.polling import eventually
from tests.support.rows import Rows
from tests.support.settings import settings_of

_WAITING = text("SELECT count(*) FROM pg_locks WHERE relation = 'photos'::regclass AND NOT granted")


@contextlib.asynccontextmanager
async def no_photo_can_be_read(database: Database) -> AsyncIterator[None]:
    async with database.unit_of_work(patient=True) as unit:
        await unit.connection.execute(text("LOCK TABLE photos IN ACCESS EXCLUSIVE MODE"))
        yield


async def lists_that_read(database: Database) -> int:
    async with database.read() as connection:
        return int(await connection.scalar(_WAITING))


async def test_no_more_lists_are_held_in_memory_than_are_allowed(
    database_url: str, tmp_path: Path
) -> None:
    settings = settings_of(
        GallerySettings, database_url, list_loads_at_once=2, photo_store_dir=tmp_path
    )
    app = create_app(settings)
    async with Database.open(settings) as others, calling(app) as client:
        rows = Rows(others)
        photographer = await rows.person(Role.PHOTOGRAPHER)
        event_id = await rows.event(photographer)
        guests = [await rows.person(joined=event_id) for _ in range(3)]
        asked = [
            (f"/api/photographer/events/{event_id}/photos", photographer),
            ("/api/my-uploaded-photos", photographer),
            *(("/api/all-photos", guest) for guest in guests),
        ]
        gallery: Gallery = app.state.gallery

        def others_wait() -> bool:
            return gallery.list_loads.waiting == len(asked) - 2

        for first in range(len(asked)):
            calls = asked[first:] + asked[:first]
            async with no_photo_can_be_read(others):
                lists = [
                    asyncio.create_task(client.get(path, headers=person.headers))
                    for path, person in calls
                ]
                await eventually(others_wait)
                assert await lists_that_read(others) <= 2
            answers = await asyncio.gather(*lists)
            assert {answer.status_code for answer in answers} == {200}
            app.state.gallery.cache.clear()


async def test_the_service_stays_ready_while_as_many_lists_as_may_be_take_long(
    database_url: str, tmp_path: Path
) -> None:
    settings = settings_of(
        GallerySettings, database_url, db_pool_size=4, db_max_overflow=8, photo_store_dir=tmp_path
    )
    async with Database.open(settings) as others, calling(create_app(settings)) as client:
        photographer = await Rows(others).person(Role.PHOTOGRAPHER)
        event_id = await Rows(others).event(photographer)
        path = f"/api/photographer/events/{event_id}/photos"

        async with no_photo_can_be_read(others):
            lists = [
                asyncio.create_task(client.get(path, headers=photographer.headers))
                for _ in range(2 * settings.list_loads_at_once)
            ]

            async def as_many_as_may_wait() -> bool:
                return await lists_that_read(others) >= settings.db_scans_at_once

            await eventually(as_many_as_may_wait)
            ready = [await client.get("/readyz") for _ in range(3)]
            assert [answer.status_code for answer in ready] == [200] * 3, ready[0].text
            assert not any(task.done() for task in lists)
        answers = await asyncio.gather(*lists)
    assert {answer.status_code for answer in answers} == {200}

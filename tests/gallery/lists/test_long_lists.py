"""A list too long for memory is read into a file at once, and sent as slowly as one reads it."""

import asyncio
import contextlib
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import ClientDisconnect

from libs.common.database.database import Database
from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.bus.topology import findme_topology
from services.gallery.app import create_app
from services.gallery.gallery import Gallery
from services.gallery.lists import repository
from services.gallery.lists.long_lists import READ_AT_ONCE
from services.gallery.settings import GallerySettings
from tests.gallery.world import World
from tests.support.http_server import calling, server_of, url_of
from tests.support.people import Person
from tests.support.polling import eventually
from tests.support.settings import settings_of
from tests.support.slow_clients import clients_of
from tests.support.statements import statements

PHOTOS = 30
CHUNK = 4

AfterPart = Callable[[int], Awaitable[None]]


@pytest.fixture(autouse=True)
def long_lists_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gallery.lists.long_lists.MAX_PHOTOS_IN_MEMORY", 10)
    monkeypatch.setattr("services.gallery.lists.long_lists.PIECE_BYTES", 4096)
    monkeypatch.setattr("services.gallery.lists.repository.CHUNK", CHUNK)


@dataclass
class Album:
    """An event with more photos than are held in memory, its photographer, and a guest in all."""

    world: World
    event_id: int
    photographer: Person
    guest: Person

    def lists(self) -> list[tuple[str, Person]]:
        of_event = f"/api/photographer/events/{self.event_id}/photos"
        return [
            ("/api/my-photos", self.guest),
            ("/api/all-photos", self.guest),
            (of_event, self.photographer),
            ("/api/my-uploaded-photos", self.photographer),
        ]


@pytest.fixture
async def album(world: World) -> Album:
    return await album_of(world, PHOTOS)


async def album_of(world: World, count: int) -> Album:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    guest = await world.person(joined=event_id)
    selfie_id = await world.selfie(guest)
    async with world.database.unit_of_work() as unit:
        rows = await unit.connection.scalars(
            text(
                "INSERT INTO photos (event_id, photographer_id, filename, original_filename,"
                " content_type, uploaded_at, sha256, crc32, size_bytes, width, height,"
                " processing_status) SELECT :event_id, :photographer_id,"
                " gen_random_uuid() || '.jpg', 'a.jpg', 'image/jpeg',"
                " now() - (n / 2) * interval '1 second', '', 0, 1, 4000, 3000, 'done'"
                " FROM generate_series(1, :count) AS n RETURNING id"
            ),
            {"event_id": event_id, "photographer_id": photographer.id, "count": count},
        )
        photo_ids = list(rows)
    await world.match(guest, event_id, photo_ids, selfie_id)
    return Album(world, event_id, photographer, guest)


@dataclass
class Call:
    """One request, to the application itself: what it sends is seen as it is sent."""

    album: Album
    path: str
    person: Person
    after_part: AfterPart | None = None
    body: bytearray = field(default_factory=bytearray)
    parts: int = 0
    is_asked: bool = False
    is_complete: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    #: Of servers that tell of a client who has gone by an error of `send`.
    spec_version: str = "2.3"
    #: Counts instead of keeping what comes.
    discard: bool = False
    size: int = 0

    async def run(self) -> None:
        headers = [
            (key.lower().encode(), value.encode())
            for key, value in sorted(self.person.headers.items())
        ]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": self.spec_version},
            "http_version": "1.1",
            "method": "GET",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "server": ("test", 80),
            "client": ("127.0.0.1", 1),
            "headers": headers,
        }
        await self.album.world.app(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if not self.is_asked:
            self.is_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] != "http.response.body":
            return
        part = message.get("body", b"")
        self.size += len(part)
        if not self.discard:
            self.body += part
        self.is_complete = not message.get("more_body", False)
        if part:
            self.parts += 1
            if self.after_part is not None:
                await self.after_part(self.parts)


async def pages(album: Album, path: str, person: Person) -> list[Any]:
    """The list as those see it who ask for pages."""
    found: list[Any] = []
    url: str | None = f"{path}?limit=7"
    while url is not None:
        answer = await album.world.client.get(url, headers=person.headers)
        found += answer.json()
        url = answer.links["next"]["url"] if "next" in answer.links else None
    return found


def connections_in_use(album: Album) -> int:
    pool: Any = album.world.services_database.engine.pool
    return int(pool.checkedout())


def kept_bytes(album: Album) -> int:
    gallery: Gallery = album.world.app.state.gallery
    return gallery.long_lists.size_bytes


def at_the_first_chunk(monkeypatch: pytest.MonkeyPatch, happens: Awaitable[None]) -> None:
    """Let something happen while a photographer's list is read."""
    left = [happens]
    read = repository.of_events

    async def of_events(connection: AsyncConnection, event_ids: Collection[int]) -> Any:
        found = await read(connection, event_ids)
        if left:
            await left.pop()
        return found

    patched = "services.gallery.lists.photographer_lists.photo_lists.of_events"
    monkeypatch.setattr(patched, of_events)


async def test_a_long_list_is_the_same_array_as_its_pages(album: Album) -> None:
    for path, person in album.lists():
        answer = await album.world.client.get(path, headers=person.headers)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["content-length"] == str(len(answer.content))
        assert "link" not in answer.headers
        assert answer.json() == await pages(album, path, person)
        assert len(answer.json()) == PHOTOS
    assert connections_in_use(album) == 0
    assert kept_bytes(album) == 0


async def test_a_long_list_that_is_known_is_not_sent_again(album: Album) -> None:
    for path, person in album.lists():
        tag = (await album.world.client.get(path, headers=person.headers)).headers["etag"]
        known = person.headers | {"If-None-Match": tag}
        assert (await album.world.client.get(path, headers=known)).status_code == 304
        assert kept_bytes(album) == 0
    await album.world.photo(album.event_id, photographer=album.photographer)
    assert (await album.world.client.get(path, headers=known)).status_code == 200


async def test_a_long_list_is_one_query_and_comes_in_parts(album: Album) -> None:
    for path, person in album.lists():
        call = Call(album, path, person)
        with statements(album.world.services_database) as seen:
            await call.run()
        assert call.is_complete
        assert call.parts > 1
        ordered = [one for one, _ in seen if "ORDER BY photos.uploaded_at" in one]
        # Whether it is long is found out by ids alone.
        assert len([one for one in ordered if one.startswith("SELECT photos.id, ")]) == 1


async def test_a_long_list_is_of_one_moment(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    async def change() -> None:
        await album.world.photo(album.event_id, photographer=album.photographer)
        await album.world.execute(text("DELETE FROM photos WHERE id % 2 = 0"))

    before = await pages(album, "/api/my-uploaded-photos", album.photographer)
    at_the_first_chunk(monkeypatch, change())
    call = Call(album, "/api/my-uploaded-photos", album.photographer)
    await call.run()
    assert json.loads(call.body) == before
    assert await pages(album, "/api/my-uploaded-photos", album.photographer) != before


async def test_a_list_that_cannot_be_read_to_its_end_is_not_begun(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose_the_database() -> None:
        # Not by the service's pool, all of which is lost.
        await album.world.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )

    at_the_first_chunk(monkeypatch, lose_the_database())
    path = "/api/my-uploaded-photos"
    answer = await album.world.client.get(path, headers=album.photographer.headers)
    assert answer.status_code == 503
    assert connections_in_use(album) == 0
    assert kept_bytes(album) == 0


async def test_guests_who_read_slowly_hold_up_nobody(database_url: str, tmp_path: Path) -> None:
    settings = settings_of(
        GallerySettings, database_url, db_pool_size=2, db_max_overflow=2, photo_store_dir=tmp_path
    )
    assert settings.db_scans_at_once == 1
    app = create_app(settings)
    async with Database.open(settings) as others, calling(app) as client:
        album = await album_of(World(others, app, client, InProcessBus(findme_topology())), PHOTOS)
        async with slow_clients(album, 40):
            page = await client.get("/api/my-photos?limit=5", headers=album.guest.headers)
            assert len(page.json()) == 5
            assert kept_bytes(album) > 40 * PHOTOS * 500
        assert kept_bytes(album) == 0


async def test_a_client_that_does_not_read_all_in_time_gives_its_file_back(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gallery.lists.answer.STREAM_TIMEOUT_SECONDS", 0.05)

    async def never(_: int) -> None:
        await asyncio.Event().wait()

    call = Call(album, "/api/all-photos", album.guest, never)
    await call.run()
    assert (call.parts, call.is_complete) == (1, False)
    assert kept_bytes(album) == 0


async def test_on_a_real_connection_a_list_that_nobody_reads_ends_without_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gallery.lists.repository.CHUNK", 500)
    # More than the buffers of both sides.
    album = await album_of(world, 15_000)
    async with (
        server_of(world.app, stall_seconds=0.3) as server,
        clients_of(url_of(server), 1) as (client,),
    ):
        await client.get("/api/my-uploaded-photos", album.photographer.headers)
        received = await client.read(15)
        assert received == b"HTTP/1.1 200 OK"
        await eventually(lambda: kept_bytes(album) == 0)
        received += await client.read_to_the_end()
    assert received.count(b'"filename"') < 15_000
    assert not received.endswith(b"0\r\n\r\n")


async def test_a_client_that_goes_away_gives_its_file_back(album: Album) -> None:
    async def go_away(_: int) -> None:
        call.gone.set()
        await asyncio.Event().wait()

    call = Call(album, "/api/all-photos", album.guest, go_away)
    await call.run()
    assert (call.parts, call.is_complete) == (1, False)
    assert kept_bytes(album) == 0


async def test_a_client_of_whom_the_server_finds_that_it_has_gone_gives_its_file_back(
    album: Album,
) -> None:
    async def is_gone(part: int) -> None:
        if part == 2:
            raise ConnectionResetError

    call = Call(album, "/api/all-photos", album.guest, is_gone, spec_version="2.4")
    with pytest.raises(ClientDisconnect):
        await call.run()
    assert (call.parts, call.is_complete) == (2, False)
    assert kept_bytes(album) == 0


async def test_where_there_is_no_room_for_a_list_one_is_asked_to_come_back(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    length = len((await a_whole_list(album)).content)
    monkeypatch.setattr("services.gallery.lists.long_lists.MAX_BYTES", 3 * length)
    async with slow_clients(album, 3):
        await is_refused(album)
    assert (await a_whole_list(album)).status_code == 200


async def test_where_the_disk_is_full_one_is_asked_to_come_back(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full_disk:
        full_disk.setattr("tempfile.TemporaryFile", lambda prefix: Path("/dev/full").open("w+b"))  # noqa: SIM115
        await is_refused(album)
    assert kept_bytes(album) == 0
    assert (await a_whole_list(album)).status_code == 200


async def test_who_waits_too_long_to_be_read_for_is_asked_to_come_back(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gallery.lists.long_lists.BEGIN_TIMEOUT_SECONDS", 0.05)
    gallery: Gallery = album.world.app.state.gallery
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(READ_AT_ONCE):
            reading = gallery.long_lists.reading(gallery.database)
            _, found = await stack.enter_async_context(reading)
            stack.callback(found.close)
        await is_refused(album)
    assert (await a_whole_list(album)).status_code == 200


async def test_who_asks_again_for_a_long_list_has_their_photos_looked_for_once(
    album: Album,
) -> None:
    await a_whole_list(album)
    with statements(album.world.services_database) as seen:
        await a_whole_list(album)
    assert sum("array_agg" in one for one, _ in seen) == 1


async def is_refused(album: Album) -> None:
    answer = await a_whole_list(album)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    page = await album.world.client.get("/api/all-photos?limit=5", headers=album.guest.headers)
    assert len(page.json()) == 5


async def a_whole_list(album: Album) -> httpx.Response:
    return await album.world.client.get("/api/all-photos", headers=album.guest.headers)


@contextlib.asynccontextmanager
async def slow_clients(album: Album, count: int) -> AsyncIterator[None]:
    """Guests each of whom has got the first piece of their list, and reads on at the end."""
    reading = asyncio.Event()

    async def wait(_: int) -> None:
        await reading.wait()

    calls = [Call(album, "/api/all-photos", album.guest, wait) for _ in range(count)]
    tasks = [asyncio.create_task(call.run()) for call in calls]
    try:
        await eventually(lambda: all(call.parts for call in calls))
        yield
    finally:
        reading.set()
        await asyncio.gather(*tasks)
    assert all(call.is_complete for call in calls)


async def test_the_memory_that_a_long_list_takes_does_not_grow_with_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gallery.lists.repository.CHUNK", 100)
    album = await album_of(world, 5000)
    call = Call(album, "/api/my-uploaded-photos", album.photographer, discard=True)
    await Call(album, "/api/my-uploaded-photos", album.photographer, discard=True).run()
    tracemalloc.start()
    try:
        await call.run()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert call.is_complete
    assert call.size > 3_500_000
    assert peak < 1_500_000

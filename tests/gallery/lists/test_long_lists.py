"""A list that is too long for memory is sent while it is read: bounded, whole, or broken off."""

import asyncio
import contextlib
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.gallery.lists.test_list_queries import statements
from tests.gallery.world import World
from tests.support.people import Person
from tests.support.polling import eventually

PHOTOS = 30
CHUNK = 4

AfterPart = Callable[[int], Awaitable[None]]


@pytest.fixture(autouse=True)
def long_lists_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    for lists in ("participant_lists", "photographer_lists"):
        monkeypatch.setattr(f"services.gallery.lists.{lists}.MAX_PHOTOS_IN_MEMORY", 10)
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
            "asgi": {"version": "3.0", "spec_version": "2.3"},
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
    pool: Any = album.world.database.engine.pool
    return int(pool.checkedout())


async def test_a_long_list_is_the_same_array_as_its_pages(album: Album) -> None:
    for path, person in album.lists():
        answer = await album.world.client.get(path, headers=person.headers)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert "link" not in answer.headers
        assert answer.json() == await pages(album, path, person)
        assert len(answer.json()) == PHOTOS
    assert connections_in_use(album) == 0


async def test_a_long_list_is_one_query_and_comes_in_parts(album: Album) -> None:
    for path, person in album.lists():
        call = Call(album, path, person)
        with statements(album.world) as seen:
            await call.run()
        assert call.is_complete
        assert call.parts > PHOTOS // CHUNK
        queries = [one for one, _ in seen if "ORDER BY photos.uploaded_at" in one]
        assert len(queries) == 1


async def test_a_long_list_is_of_one_moment(album: Album) -> None:
    async def change(part: int) -> None:
        if part == 1:
            await album.world.photo(album.event_id, photographer=album.photographer)
            await album.world.execute(text("DELETE FROM photos WHERE id % 2 = 0"))

    before = await pages(album, "/api/my-uploaded-photos", album.photographer)
    call = Call(album, "/api/my-uploaded-photos", album.photographer, change)
    await call.run()
    assert json.loads(call.body) == before


async def test_a_list_that_breaks_off_does_not_look_whole(album: Album) -> None:
    async def lose_the_database(part: int) -> None:
        if part == 1:
            # Not by the service's pool, all of which is lost.
            await album.world.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    call = Call(album, "/api/my-uploaded-photos", album.photographer, lose_the_database)
    with contextlib.suppress(Exception):
        await call.run()
    assert call.parts >= 1
    assert not call.is_complete
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(call.body)
    assert connections_in_use(album) == 0


async def test_a_client_that_stops_reading_gives_its_connection_back(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gallery.lists.encode.SEND_TIMEOUT_SECONDS", 0.05)

    async def never(_: int) -> None:
        await asyncio.Event().wait()

    call = Call(album, "/api/all-photos", album.guest, never)
    await call.run()
    assert not call.is_complete
    assert connections_in_use(album) == 0
    assert (await a_whole_list(album)).status_code == 200


async def test_a_client_that_reads_forever_is_cut_off(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gallery.lists.encode.STREAM_TIMEOUT_SECONDS", 0.05)

    async def slowly(_: int) -> None:
        await asyncio.Event().wait()

    call = Call(album, "/api/all-photos", album.guest, slowly)
    await call.run()
    assert not call.is_complete
    assert connections_in_use(album) == 0


async def test_a_client_that_goes_away_gives_its_connection_back(album: Album) -> None:
    async def go_away(_: int) -> None:
        call.gone.set()
        await asyncio.Event().wait()

    call = Call(album, "/api/all-photos", album.guest, go_away)
    await call.run()
    assert connections_in_use(album) == 0
    assert (await a_whole_list(album)).status_code == 200


async def test_whoever_finds_all_places_taken_is_asked_to_come_back(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gallery.lists.encode.BEGIN_TIMEOUT_SECONDS", 0.05)
    async with two_slow_clients(album):
        answer = await a_whole_list(album)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        page = await album.world.client.get("/api/all-photos?limit=5", headers=album.guest.headers)
        assert len(page.json()) == 5
    assert (await a_whole_list(album)).status_code == 200


async def a_whole_list(album: Album) -> httpx.Response:
    return await album.world.client.get("/api/all-photos", headers=album.guest.headers)


@contextlib.asynccontextmanager
async def two_slow_clients(album: Album) -> AsyncIterator[None]:
    reading = asyncio.Event()

    async def wait(_: int) -> None:
        await reading.wait()

    calls = [Call(album, "/api/all-photos", album.guest, wait) for _ in range(2)]
    tasks = [asyncio.create_task(call.run()) for call in calls]
    await eventually(lambda: all(call.parts for call in calls))
    yield
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

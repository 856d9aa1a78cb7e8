"""Clients that read slowly, or never, and those beside them; on real sockets and either store."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import psutil
import pytest
from prometheus_client import REGISTRY

from libs.common.storage.folder import FolderStore
from libs.common.storage.s3 import open_s3_store
from services.media.responses import downloads as turns
from services.media.responses.delivery import Delivery, DeliveryMode
from services.media.responses.downloads import Downloads, Part
from services.media.responses.object_response import ONE_SEND_BYTES
from services.media.responses.sources import Source
from services.media.settings import MediaSettings
from tests.faults.sizes import short_and_long
from tests.media.world import Photo, World, jpeg, running_world
from tests.support.http_server import server_of, url_of
from tests.support.people import Person
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.s3 import S3Bucket
from tests.support.settings import settings_of
from tests.support.slow_clients import SlowClient, clients_of
from tests.support.stores import use_credentials

LARGE = bytes(range(256)) * 8_400 + b"end"
assert len(LARGE) > 2 * ONE_SEND_BYTES


@dataclass(frozen=True)
class Crowd:
    """More clients than there are connections to the store, and the pool that they fill."""

    pool: int
    clients: int


@dataclass(frozen=True)
class Served:
    """The service on a socket that buffers little, and a client that reads."""

    world: World
    url: str
    client: httpx.AsyncClient
    guest: Person
    photo: Photo

    @property
    def path(self) -> str:
        return f"/api/photo/{self.photo.id}"

    async def get(self, path: str) -> httpx.Response:
        answer = await self.client.get(path, headers=self.guest.headers)
        return answer.raise_for_status()


@contextlib.asynccontextmanager
async def served(world: World, **server: Any) -> AsyncIterator[Served]:
    event = await world.event()
    guest = await world.person(joined=event)
    photo = await world.photo(event, LARGE)
    async with (
        server_of(world.app, send_buffer_bytes=8192, **server) as running,
        httpx.AsyncClient(base_url=url_of(running), timeout=PATIENCE_SECONDS) as client,
    ):
        yield Served(world, url_of(running), client, guest, photo)


@contextlib.asynccontextmanager
async def unread(on: Served, count: int) -> AsyncIterator[list[SlowClient]]:
    """So many clients that ask for the large photo, and read nothing but the status."""
    async with clients_of(on.url, count) as clients:
        for client in clients:
            await client.get(on.path, on.guest.headers)
        yield clients


@contextlib.asynccontextmanager
async def world_on_s3(database_url: str, s3: S3Bucket, pool_size: int) -> AsyncIterator[World]:
    settings = settings_of(
        MediaSettings, database_url, photo_bucket_name=s3.bucket, s3_pool_size=pool_size
    )
    async with (
        open_s3_store(s3.bucket, endpoint_url=s3.endpoint_url, pool_size=pool_size) as store,
        running_world(settings, store) as world,
    ):
        yield world


def open_objects(folder: Path) -> list[str]:
    opened = psutil.Process().open_files()
    return [file.path for file in opened if file.path.startswith(str(folder))]


@short_and_long("crowd", Crowd(pool=2, clients=6), Crowd(pool=64, clients=130))
async def test_clients_that_never_read_hold_up_nobody(
    database_url: str, s3: S3Bucket, monkeypatch: pytest.MonkeyPatch, crowd: Crowd
) -> None:
    """Neither originals, nor what is made of others, nor readiness."""
    use_credentials(s3, monkeypatch)
    async with (
        world_on_s3(database_url, s3, crowd.pool) as world,
        served(world) as on,
        unread(on, crowd.clients) as clients,
    ):
        for client in clients:
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await client.read(15) == b"HTTP/1.1 200 OK"
        other = await world.photo(on.photo.event_id, jpeg())
        for name in ("thumbnail", "preview"):
            await on.get(world.link(other.rendition_key(name)))
        assert (await on.get("/readyz")).json()["checks"]["store"] == "ok"
        assert (await on.get(on.path)).content == LARGE


async def test_clients_that_keep_up_leave_connections_and_parts_to_others(
    database_url: str, s3: S3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those whose clients are still waited for."""
    use_credentials(s3, monkeypatch)
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 3600)
    pool = 4
    async with (
        world_on_s3(database_url, s3, pool) as world,
        served(world) as on,
        unread(on, pool + 1) as clients,
    ):
        for client in clients:
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await client.read(15) == b"HTTP/1.1 200 OK"
        other = await world.photo(on.photo.event_id, jpeg())
        await on.get(world.link(other.rendition_key("thumbnail")))
        assert (await on.get("/readyz")).json()["checks"]["store"] == "ok"
        assert (await on.get(on.path)).content == LARGE


async def test_a_folder_streams_to_more_clients_than_s3_has_connections(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 3600)
    settings = settings_of(MediaSettings, database_url, s3_pool_size=1)
    store = await FolderStore.open(tmp_path / "store")
    async with running_world(settings, store) as world, served(world) as on, unread(on, 3):
        await eventually(lambda: len(open_objects(tmp_path)) == 3)


class WatchedDownloads(Downloads):
    """Counts those that read on, or wait for their turn to."""

    midway = 0

    @contextlib.asynccontextmanager
    async def reading(
        self, source: Source, start: int, end: int, *, is_midway: bool = False
    ) -> AsyncIterator[Part]:
        self.midway += is_midway
        async with super().reading(source, start, end, is_midway=is_midway) as part:
            yield part


class SlowStore(FolderStore):
    """Gives nothing of an object while its gate is closed."""

    def __init__(self, root: Path, *, is_read_only: bool = False) -> None:
        super().__init__(root, is_read_only=is_read_only)
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = 0

    def open_file(self, key: str) -> None:
        """As of a store whose objects are no files."""

    async def read(
        self, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        async with contextlib.aclosing(super().read(key, start=start, end=end)) as pieces:
            async for piece in pieces:
                yield piece


async def test_who_gets_no_turn_comes_back_and_who_has_begun_waits_for_it(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.05)
    await FolderStore.open(tmp_path / "store")
    store = SlowStore(tmp_path / "store")
    downloads = WatchedDownloads(streams=0, parts=1)
    async with running_world(settings_of(MediaSettings, database_url), store) as world:
        world.app.state.delivery = Delivery(DeliveryMode.STREAM, store, downloads)
        async with served(world) as on, unread(on, 2) as clients:
            for client in clients:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    assert await client.read(15) == b"HTTP/1.1 200 OK"
            store.gate.clear()
            # One has the turn, one waits for it.
            begun = downloads.midway
            bodies = [asyncio.create_task(client.read_body()) for client in clients]
            await eventually(lambda: store.waiting == 1 and downloads.midway >= begun + 2)
            answer = await on.client.get(on.path, headers=on.guest.headers)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            store.gate.set()
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await asyncio.gather(*bodies) == [LARGE, LARGE]


async def test_who_never_reads_is_cut_off(world: World) -> None:
    def cut_off() -> float:
        labels = {"client": "took_nothing"}
        return REGISTRY.get_sample_value("findme_clients_cut_off_total", labels) or 0

    before = cut_off()
    async with served(world, stall_seconds=0.3) as on, unread(on, 3) as clients:
        await eventually(lambda: cut_off() == before + 3)
        async with asyncio.timeout(PATIENCE_SECONDS):
            for client in clients:
                assert len(await client.read_to_the_end()) < len(LARGE)


async def test_who_reads_slowly_gets_all_of_it_and_the_store_is_not_held_meanwhile(
    world: World, tmp_path: Path
) -> None:
    with patch.object(turns, "PATIENCE_SECONDS", 0.01):
        async with served(world) as on, unread(on, 10) as clients:
            received = [await client.read(15) for client in clients]
            assert set(received) == {b"HTTP/1.1 200 OK"}
            await eventually(lambda: not open_objects(tmp_path))
            assert (await on.get(on.path)).content == LARGE
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await clients[0].read_body() == LARGE


async def test_a_range_is_sent_to_a_slow_client_as_to_any_other(world: World) -> None:
    first, last = 1000, len(LARGE) - 1000
    with patch.object(turns, "PATIENCE_SECONDS", 0.01):
        async with served(world) as on, clients_of(on.url, 1) as (client,):
            wanted = {"Range": f"bytes={first}-{last}"}
            await client.get(on.path, on.guest.headers | wanted)
            assert await client.read(12) == b"HTTP/1.1 206"
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await client.read_body() == LARGE[first : last + 1]


async def test_a_photo_that_is_deleted_under_a_slow_client_ends_there(
    database_url: str, tmp_path: Path
) -> None:
    store = await FolderStore.open(tmp_path / "store")
    async with running_world(settings_of(MediaSettings, database_url), store) as world:
        with patch.object(turns, "PATIENCE_SECONDS", 0.01):
            async with served(world) as on, unread(on, 1) as (client,):
                assert await client.read(15) == b"HTTP/1.1 200 OK"
                # An open file could be read on to its end.
                await eventually(lambda: not open_objects(tmp_path))
                await store.delete(on.photo.key)
                async with asyncio.timeout(PATIENCE_SECONDS):
                    assert len(await client.read_to_the_end()) < len(LARGE)

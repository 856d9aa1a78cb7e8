"""Files that the kernel sends, over real sockets, to clients of every kind."""

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import uvicorn
from prometheus_client import REGISTRY
from starlette.types import Receive, Scope, Send

from libs.common.storage.folder import FolderStore
from libs.common.web.file_sending import FileSender, file_sender
from tests.support.http_server import server_of, url_of
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.slow_clients import SlowClient, clients_of

KEY = "events/1/photos/large.jpg"
LARGE = bytes(range(256)) * 20_000
TRAILER = b"what follows the file"


@dataclass
class Application:
    """Answers with a part of a file between bytes of its own."""

    store: FolderStore
    start: int = 0
    end: int = len(LARGE)
    patience_seconds: float = PATIENCE_SECONDS
    #: Up to where each call of `send` came.
    reached: list[int] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sender = file_sender(scope)
        assert sender is not None
        length = str(self.end - self.start + len(TRAILER)).encode()
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", length)],
            }
        )
        await self._send_file(sender)
        if not sender.is_gone:
            await send({"type": "http.response.body", "body": TRAILER})

    async def _send_file(self, sender: FileSender) -> None:
        position = self.start
        while position < self.end and not sender.is_gone:
            await sender.ready()
            file = self.store.open_file(KEY)
            assert file is not None
            with file:
                position = await sender.send(
                    file, position, self.end, patience_seconds=self.patience_seconds
                )
            self.reached.append(position)
            if position < self.end:
                await sender.room()


@pytest.fixture
async def application(tmp_path: Path) -> Application:
    store = await FolderStore.open(tmp_path)
    await store.put(KEY, LARGE, content_type="image/jpeg")
    return Application(store)


@contextlib.asynccontextmanager
async def asked(
    application: Application, count: int = 1, *, stall_seconds: float = 30
) -> AsyncIterator[tuple[uvicorn.Server, list[SlowClient]]]:
    """Clients with small buffers on a server with small buffers, which have asked."""
    async with (
        server_of(application, send_buffer_bytes=8192, stall_seconds=stall_seconds) as server,
        clients_of(url_of(server), count) as clients,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        for client in clients:
            await client.get("/")
        yield server, clients


def open_files(folder: Path) -> list[str]:
    return [
        file.path for file in psutil.Process().open_files() if file.path.startswith(str(folder))
    ]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_file_arrives_whole_and_in_its_place(application: Application) -> None:
    async with asked(application) as (_, (client,)):
        assert await client.read_body() == LARGE + TRAILER


async def test_a_part_of_a_file_arrives(application: Application) -> None:
    application.start, application.end = 100_000, 3_000_001
    async with asked(application) as (_, (client,)):
        assert await client.read_body() == LARGE[100_000:3_000_001] + TRAILER


async def test_a_file_that_the_kernel_does_not_send_arrives_all_the_same(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on some file systems in user space, of which there is none here."""

    def refuse(*_: int) -> int:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "sendfile", refuse)
    async with asked(application) as (_, (client,)):
        assert await client.read_body() == LARGE + TRAILER


async def test_the_connection_is_kept_for_the_next_answer(application: Application) -> None:
    async with asked(application) as (server, (client,)):
        for _ in range(3):
            assert await client.read_body() == LARGE + TRAILER
            await client.get("/")
        assert len(server.server_state.connections) == 1


async def test_requests_that_wait_in_line_are_answered_one_after_the_other(
    application: Application,
) -> None:
    async with asked(application) as (_, (client,)):
        await client.send(b"GET / HTTP/1.1\r\nHost: findme\r\nConnection: close\r\n\r\n")
        first, second, *rest = (await client.read_to_the_end()).split(LARGE + TRAILER)
        assert first.startswith(b"HTTP/1.1 200")
        assert second.startswith(b"HTTP/1.1 200")
        assert rest == [b""]


async def test_while_a_client_lets_wait_no_file_is_open_and_it_gets_all_of_it_later(
    application: Application, tmp_path: Path
) -> None:
    application.patience_seconds = 0
    async with asked(application) as (_, (client,)):
        await eventually(lambda: application.reached and not open_files(tmp_path))
        assert application.reached[-1] < len(LARGE)
        assert await client.read_body() == LARGE + TRAILER
        assert len(application.reached) > 1


async def test_who_takes_nothing_of_a_file_is_cut_off_and_leaves_nothing(
    application: Application, tmp_path: Path
) -> None:
    """The transport's own buffer is empty meanwhile."""

    def cut_off() -> float:
        labels = {"client": "took_nothing"}
        return REGISTRY.get_sample_value("findme_clients_cut_off_total", labels) or 0

    before = cut_off()
    async with asked(application, 3, stall_seconds=0.3) as (server, clients):
        await eventually(lambda: cut_off() == before + 3)
        state = server.server_state
        await eventually(lambda: not state.connections and not state.tasks)
        assert not open_files(tmp_path)
        for client in clients:
            assert len(await client.read_to_the_end()) < len(LARGE)


@pytest.mark.parametrize("patience", [0, PATIENCE_SECONDS])
async def test_a_client_that_goes_away_leaves_nothing_behind(
    application: Application, tmp_path: Path, caplog: pytest.LogCaptureFixture, patience: float
) -> None:
    application.patience_seconds = patience
    async with asked(application, 5) as (server, clients):
        before = descriptors()
        for client in clients:
            await client.read(15)
            client.close()
        state = server.server_state
        await eventually(lambda: not state.connections and not state.tasks)
        assert not open_files(tmp_path)
        assert descriptors() < before
    assert "Exception in ASGI application" not in caplog.text
    assert "without completing" not in caplog.text


async def test_a_file_that_is_shorter_than_was_said_ends_the_connection(
    application: Application, tmp_path: Path
) -> None:
    application.end = len(LARGE) + 1
    async with asked(application) as (_, (client,)):
        received = await client.read_to_the_end()
        assert received.endswith(LARGE[-1000:])


async def test_others_have_their_turn_while_a_file_is_sent(application: Application) -> None:
    """Also where no client lets wait: the system's buffers take all of it."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with server_of(application) as server, clients_of(url_of(server), 1) as (client,):
        await client.get("/")
        other = asyncio.create_task(count())
        assert await client.read_body() == LARGE + TRAILER
        other.cancel()
    assert turns > len(LARGE) // (256 * 1024)


async def test_what_memory_does_not_have_is_read_all_the_same(tmp_path: Path) -> None:
    store = await FolderStore.open(tmp_path)
    await store.put(KEY, LARGE, content_type="image/jpeg")
    file = store.open_file(KEY)
    assert file is not None
    with file:
        for read in (file.read(1000, 60_000), file.fetch(0, len(LARGE))):
            os.posix_fadvise(file.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            assert await read in (LARGE[1000:60_000], None)
        assert await file.read(len(LARGE) - 5, len(LARGE)) == LARGE[-5:]

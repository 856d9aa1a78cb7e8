"""The pool with real processes. A pipe as source lets a test hold a worker where it wants."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from PIL import Image
from prometheus_client import REGISTRY

from libs.common.errors import Unavailable
from services.media.renditions.decoding import CannotDecode
from services.media.renditions.rendition_pool import AHEAD, RenditionPool
from tests.media.world import jpeg
from tests.support.polling import eventually
from tests.support.worker_processes import workers


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.jpg"
    path.write_bytes(jpeg())
    return path


@pytest.fixture
async def pool() -> AsyncIterator[RenditionPool]:
    async with _pool() as pool:
        yield pool


def _pool(timeout_seconds: float = 60) -> RenditionPool:
    return RenditionPool(
        workers=1, queue_limit=0, timeout_seconds=timeout_seconds, max_pixels=10**8
    )


def _value(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(name, labels)
    assert value is not None
    return value


async def _kill_worker_reading(
    pipe: Path, *, by: signal.Signals = signal.SIGKILL, then_put: Path | None = None
) -> None:
    """Kill the worker that reads the pipe; the next one finds `then_put` in its place."""
    descriptor = await _opened_by_a_reader(pipe)
    if then_put is not None:
        await asyncio.to_thread(then_put.replace, pipe)
    doomed = workers()
    for worker in doomed:
        worker.send_signal(by)
    # Until they are collected the pipe may still have a reader, which the next call would take for
    # its own: a process whose first thread is a zombie already has others that end after it.
    await eventually(lambda: not any(worker.is_running() for worker in doomed))
    os.close(descriptor)


async def _opened_by_a_reader(pipe: Path) -> int:
    """Wait for somebody who reads the pipe; return our end of it."""
    ends: list[int] = []

    def is_read() -> bool:
        with contextlib.suppress(OSError):  # nobody reads it yet
            ends.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(ends)

    await eventually(is_read)
    return ends[0]


async def test_a_photo_whose_worker_died_once_is_tried_again(
    pool: RenditionPool, pipe: Path, picture: Path
) -> None:
    rendering = asyncio.create_task(pool.render(pipe, 400))

    await _kill_worker_reading(pipe, then_put=picture)

    assert await rendering


async def test_a_photo_that_kills_its_worker_twice_is_given_up_and_the_next_is_made(
    pool: RenditionPool, pipe: Path, picture: Path
) -> None:
    lost = _value("findme_workers_lost_total", cause="crashed")
    rendering = asyncio.create_task(pool.render(pipe, 400))

    await _kill_worker_reading(pipe, by=signal.SIGSEGV)
    await _kill_worker_reading(pipe, by=signal.SIGSEGV)

    with pytest.raises(CannotDecode, match="breaks the decoder"):
        await rendering
    assert _value("findme_workers_lost_total", cause="crashed") == lost + 2
    assert _value("findme_rendition_workers") == 1
    assert _value("findme_rendition_workers_busy") == 0
    assert await pool.render(picture, 400)


async def test_a_photo_whose_workers_are_killed_by_others_is_not_called_undecodable(
    pool: RenditionPool, pipe: Path, picture: Path
) -> None:
    rendering = asyncio.create_task(pool.render(pipe, 400))

    await _kill_worker_reading(pipe)
    await _kill_worker_reading(pipe)

    with pytest.raises(Unavailable):
        await rendering
    assert await pool.render(picture, 400)


async def test_a_worker_at_its_limit_of_memory_calls_no_picture_damaged(
    pool: RenditionPool, tmp_path: Path, picture: Path
) -> None:
    large = tmp_path / "large.png"
    Image.effect_noise((3000, 2000), 50).convert("RGB").save(large, compress_level=0)
    assert await pool.render(picture, 400)
    for worker in workers():
        at_its_limit = worker.memory_info().vms
        _limit_address_space(worker, at_its_limit)

    assert await pool.render(large, 400)


async def test_a_photo_that_takes_too_long_is_given_up_and_the_next_is_made(
    pipe: Path, picture: Path
) -> None:
    descriptor = os.open(pipe, os.O_RDWR)  # with a writer that never writes, reading waits
    try:
        async with _pool(timeout_seconds=5) as pool:
            with pytest.raises(CannotDecode, match="too long"):
                await pool.render(pipe, 400)
            assert await pool.render(picture, 400)
    finally:
        os.close(descriptor)


async def test_no_more_than_the_limit_have_a_turn() -> None:
    pool = _pool()
    async with pool.turn("preview"):
        with pytest.raises(Unavailable):
            async with pool.turn("thumbnail"):
                raise AssertionError

    async with pool.turn("preview"):
        pass


async def test_a_thumbnail_does_not_wait_behind_all_previews() -> None:
    pool = RenditionPool(workers=1, queue_limit=100, timeout_seconds=60, max_pixels=10**8)
    had: list[str] = []

    async def have(kind: str) -> None:
        async with pool.turn(kind):
            had.append(kind)
            await asyncio.sleep(0)

    previews = [asyncio.create_task(have("preview")) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.gather(have("thumbnail"), *previews)

    # Two rounds have begun when it comes.
    assert had.index("thumbnail") <= 2 * (1 + AHEAD) + 1


def _limit_address_space(process: psutil.Process, limit_bytes: int) -> None:
    command = ["prlimit", f"--pid={process.pid}", f"--as={limit_bytes}"]
    # As the worker's own user: who is another one needs a capability that containers lack.
    subprocess.run(command, check=True, user=process.uids().real, group=process.gids().real)

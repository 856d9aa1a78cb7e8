"""The pool with real processes. A pipe as source lets a test hold a worker where it wants."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from libs.common.errors import Unavailable
from services.media.renditions.rendition_pool import RenditionPool
from services.media.renditions.rendition_worker import CannotDecode
from tests.media.world import jpeg
from tests.support.polling import eventually


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


def _workers() -> list[psutil.Process]:
    """The living ones; a zombie is dead and waits to be counted."""
    return [child for child in psutil.Process().children() if _is_worker(child)]


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # of which ZombieProcess is one
        return False


async def _kill_worker_reading(pipe: Path, *, then_put: Path | None = None) -> None:
    """Kill the worker that reads the pipe; the next one finds `then_put` in its place."""
    # Opening a pipe for writing waits until somebody has it open for reading.
    descriptor = await asyncio.to_thread(os.open, pipe, os.O_WRONLY)
    if then_put is not None:
        await asyncio.to_thread(then_put.replace, pipe)
    doomed = _workers()
    for worker in doomed:
        worker.kill()
    # Until they are dead the pipe still has a reader, and the next call would take it for its own.
    await eventually(lambda: not any(_is_worker(worker) for worker in doomed))
    os.close(descriptor)


async def test_a_worker_killed_while_idle_is_replaced(pool: RenditionPool, picture: Path) -> None:
    await pool.render(picture, 400)
    assert _workers()
    for worker in _workers():
        worker.kill()

    assert await pool.render(picture, 400)


async def test_a_photo_whose_worker_died_once_is_tried_again(
    pool: RenditionPool, pipe: Path, picture: Path
) -> None:
    rendering = asyncio.create_task(pool.render(pipe, 400))

    await _kill_worker_reading(pipe, then_put=picture)

    assert await rendering


async def test_a_photo_that_kills_its_worker_twice_is_given_up_and_the_next_is_made(
    pool: RenditionPool, pipe: Path, picture: Path
) -> None:
    rendering = asyncio.create_task(pool.render(pipe, 400))

    await _kill_worker_reading(pipe)
    await _kill_worker_reading(pipe)

    with pytest.raises(CannotDecode, match="breaks the decoder"):
        await rendering
    assert await pool.render(picture, 400)


async def test_a_photo_that_takes_too_long_is_given_up_and_the_next_is_made(
    pipe: Path, picture: Path
) -> None:
    descriptor = os.open(pipe, os.O_RDWR)  # with a writer that never writes, reading waits
    try:
        async with _pool(timeout_seconds=0.5) as pool:
            with pytest.raises(CannotDecode, match="too long"):
                await pool.render(pipe, 400)
            assert await pool.render(picture, 400)
    finally:
        os.close(descriptor)


async def test_no_more_than_the_limit_wait_for_a_turn(pool: RenditionPool) -> None:
    async with pool.turn():
        with pytest.raises(Unavailable):
            async with pool.turn():
                pass

    async with pool.turn():
        pass


async def test_workers_end_with_the_pool(picture: Path) -> None:
    async with _pool() as pool:
        await pool.render(picture, 400)
        assert _workers()

    assert not _workers()

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from libs.common.errors import Unavailable
from libs.common.images.known_good import KNOWN_GOOD
from libs.common.workers.pool import WorkerPool
from services.recognition.engine.face_engine import Purpose
from services.recognition.engine.workers import SELFIES, SHARES, VISITORS, EnginePool
from services.recognition.selfies.check_lines import MAX_BYTES, PATIENCE_SECONDS, CheckLines
from tests.common.workers.obedient import obedient
from tests.support.polling import eventually


def pool_of() -> EnginePool:
    return WorkerPool(1, of_pictures, name="test worker", shares=SHARES)  # type: ignore[arg-type]


def of_pictures() -> Callable[[Path, Purpose], object]:
    work = obedient()
    return lambda path, _: work(path)


def test_selfies_wait_while_there_is_room_for_their_bytes() -> None:
    lines = CheckLines(pool_of())
    with lines.place(VISITORS, MAX_BYTES - 1):
        with pytest.raises(Unavailable) as refused, lines.place(VISITORS, 2):
            pass
        # Each kind has its own.
        with lines.place(SELFIES, MAX_BYTES), lines.place(VISITORS, 1):
            pass
    assert refused.value.retry_after_seconds >= 1
    with lines.place(VISITORS, MAX_BYTES):
        pass


async def test_a_line_that_is_too_long_says_how_long_it_is(tmp_path: Path) -> None:
    async with pool_of() as pool:
        lines = CheckLines(pool)
        first = asyncio.create_task(pool.run_as(VISITORS, tmp_path / "until-told", Purpose.SELFIE))
        await eventually((tmp_path / "has begun").exists)
        waiting: list[asyncio.Task[object]] = []
        while pool.wait_seconds(VISITORS) <= PATIENCE_SECONDS:
            waiting.append(asyncio.create_task(pool.run_as(VISITORS, KNOWN_GOOD, Purpose.SELFIE)))
            await asyncio.sleep(0)

        with pytest.raises(Unavailable) as refused, lines.place(VISITORS, 1):
            pass
        for task in waiting:
            task.cancel()
        (tmp_path / "told").touch()
        await asyncio.gather(first, *waiting, return_exceptions=True)

    assert refused.value.retry_after_seconds == PATIENCE_SECONDS + 1
    assert str(refused.value.retry_after_seconds) in str(refused.value)

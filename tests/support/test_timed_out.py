"""A run's last words say where a test hung."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HANGING = """
import asyncio
from collections.abc import AsyncIterator

import pytest


async def forever() -> AsyncIterator[int]:
    await asyncio.Event().wait()
    yield 1


async def deaf() -> None:
    async for _ in forever():
        pass


@pytest.fixture
async def stuck() -> AsyncIterator[None]:
    task = asyncio.create_task(deaf(), name="deaf work")
    yield
    await asyncio.wait([task])


async def test_of_a_stuck_fixture(stuck: None) -> None: ...


def test_that_is_well() -> None: ...
"""


def test_a_test_that_runs_out_of_time_is_told_of_last_with_the_place_of_each_task(
    tmp_path: Path,
) -> None:
    (tmp_path / "test_hanging.py").write_text(HANGING)
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(tmp_path)),
            *("-p", "tests.support.timed_out", "-p", "no:cacheprovider"),
            *("-o", "asyncio_mode=auto", "--timeout=2", "-n1", "-q", str(tmp_path)),
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    summary, _, last = ran.stdout.rpartition("short test summary info")
    assert summary, ran.stdout + ran.stderr
    heading, *lines = last[last.index("hung: ") :].splitlines()
    assert "test_of_a_stuck_fixture (teardown)" in heading
    assert any(line.startswith("main thread: ") for line in lines)
    (waiting,) = [line for line in lines if line.startswith("deaf work: ")]
    assert "forever < " in waiting
    assert waiting.endswith(" deaf")
    assert any("wait < " in line and " stuck" in line for line in lines)
    assert "test_that_is_well" not in last

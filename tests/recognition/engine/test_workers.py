import asyncio
import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from prometheus_client import REGISTRY

from libs.common.errors import PermanentError, TransientError
from services.recognition.engine.analysis import PhotoAnalysis
from services.recognition.engine.decode.decode import UndecodablePhoto
from services.recognition.engine.engines import EmbeddedEngine
from services.recognition.engine.models.files import ModelUnusable
from services.recognition.engine.workers import WorkerCrashed, WorkerPool, WorkerTimedOut
from tests.support.faces import grace_hopper
from tests.support.polling import eventually


class ObedientEngine:
    """Does what the file's name says, in place of a decoder that does so unasked."""

    def analyze(self, path: Path) -> PhotoAnalysis:
        match path.name:
            case "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "hang":
                # As native code does: not even SIGTERM is heard.
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                path.with_name("hanging").touch()
                time.sleep(3600)
            case "bad":
                raise UndecodablePhoto("The file is empty.")
            case "bug":
                raise ZeroDivisionError("a bug")
            case "large":
                return PhotoAnalysis(1, 1, "x" * 1_000_000, ())
        return PhotoAnalysis(width=os.getpid(), height=os.nice(0), placeholder=path.name, faces=())


def refuse() -> ObedientEngine:
    raise ModelUnusable("the face model is missing")


def die() -> ObedientEngine:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def obedient(processes: int = 1, timeout_seconds: float = 60.0) -> WorkerPool[PhotoAnalysis]:
    return WorkerPool(processes, timeout_seconds=timeout_seconds, engine_factory=ObedientEngine)


async def test_photos_are_analysed_in_other_processes_that_give_way() -> None:
    async with obedient(2) as pool:
        results = await asyncio.gather(*(pool.analyze(Path(f"photo{i}")) for i in range(20)))
    assert [result.placeholder for result in results] == [f"photo{i}" for i in range(20)]
    assert os.getpid() not in {result.width for result in results}
    assert all(result.height >= 10 for result in results)


async def test_the_embedded_engine_runs_in_a_worker(tmp_path: Path) -> None:
    grace_hopper().save(tmp_path / "photo.png")
    factory = functools.partial(EmbeddedEngine, model_dir=tmp_path / "models")
    async with WorkerPool(1, engine_factory=factory) as pool:
        analysis = await pool.analyze(tmp_path / "photo.png")
        assert (analysis.width, analysis.height, len(analysis.faces)) == (512, 600, 1)
        (tmp_path / "nothing.png").touch()
        with pytest.raises(UndecodablePhoto, match="empty"):
            await pool.analyze(tmp_path / "nothing.png")


async def test_an_answer_larger_than_the_pipe_arrives() -> None:
    async with obedient() as pool:
        assert len((await pool.analyze(Path("large"))).placeholder) == 1_000_000


async def test_a_crash_costs_only_the_photo_that_caused_it() -> None:
    async with obedient(2) as pool:
        names = ["good", "crash", "good", "crash", "good", "crash", "good"]
        results = await asyncio.gather(
            *(pool.analyze(Path(name)) for name in names), return_exceptions=True
        )
        kinds = [
            "good" if isinstance(result, PhotoAnalysis) else type(result) for result in results
        ]
        assert kinds == [WorkerCrashed if name == "crash" else "good" for name in names]
        assert issubclass(WorkerCrashed, TransientError)


async def test_an_idle_worker_that_is_killed_is_replaced() -> None:
    async with obedient() as pool:
        first = (await pool.analyze(Path("photo"))).width
        psutil.Process(first).kill()
        psutil.Process(first).wait()
        assert (await pool.analyze(Path("photo"))).width != first


async def test_a_photo_that_takes_too_long_is_given_up_and_its_worker_killed(
    tmp_path: Path,
) -> None:
    async with obedient(timeout_seconds=0.3) as pool:
        with pytest.raises(WorkerTimedOut, match=r"no answer in 0\.3 seconds"):
            await pool.analyze(tmp_path / "hang")
        assert (await pool.analyze(Path("photo"))).placeholder == "photo"


async def test_a_cancelled_photo_frees_its_worker(tmp_path: Path) -> None:
    async with obedient() as pool:
        task = asyncio.create_task(pool.analyze(tmp_path / "hang"))
        await eventually((tmp_path / "hanging").exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await pool.analyze(Path("photo"))).placeholder == "photo"


async def test_a_bad_photo_is_refused_in_the_engine_s_own_words() -> None:
    async with obedient() as pool:
        with pytest.raises(PermanentError, match=r"^The file is empty\.") as caught:
            await pool.analyze(Path("bad"))
        assert type(caught.value) is UndecodablePhoto
        assert str(caught.value) == "The file is empty."
        assert (await pool.analyze(Path("photo"))).placeholder == "photo"


async def test_a_bug_in_the_engine_comes_with_the_worker_s_traceback() -> None:
    async with obedient() as pool:
        with pytest.raises(ZeroDivisionError, match="a bug") as caught:
            await pool.analyze(Path("bug"))
    assert "in analyze" in "".join(caught.value.__notes__)


async def test_an_engine_that_cannot_be_built_is_refused_at_the_start() -> None:
    with pytest.raises(ModelUnusable, match="the face model is missing"):
        async with WorkerPool(2, engine_factory=refuse):
            pass


async def test_workers_that_die_at_the_start_are_reported() -> None:
    with pytest.raises(WorkerCrashed):
        async with WorkerPool(1, engine_factory=die):
            pass


async def test_no_worker_is_left_behind(tmp_path: Path) -> None:
    async with obedient(2) as pool:
        task = asyncio.create_task(pool.analyze(tmp_path / "hang"))
        await eventually((tmp_path / "hanging").exists)
        busy = {child.pid for child in psutil.Process().children()}
    with pytest.raises(WorkerCrashed):
        await task
    left = {child.pid for child in psutil.Process().children()} & busy
    assert not {pid for pid in left if "spawn_main" in " ".join(psutil.Process(pid).cmdline())}


PROGRAM = """
import asyncio, sys
from pathlib import Path
from tests.unit.recognition.test_engine_workers import obedient

async def main():
    async with obedient(2) as pool:
        task = asyncio.create_task(pool.analyze(Path(sys.argv[1])))
        print((await pool.analyze(Path("photo"))).width, flush=True)
        await task

if __name__ == "__main__":
    asyncio.run(main())
"""


async def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(  # noqa: ASYNC220 - starts in milliseconds
        [sys.executable, "-c", PROGRAM, str(tmp_path / "hang")], stdout=subprocess.PIPE
    )
    with parent:
        assert parent.stdout is not None
        await asyncio.to_thread(parent.stdout.readline)
        await eventually((tmp_path / "hanging").exists)
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) >= 2
        parent.kill()
    await eventually(lambda: not any(child.is_running() for child in children))


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_the_gauges_tell_how_many_workers_there_are_and_how_many_are_busy(
    tmp_path: Path,
) -> None:
    before = value("findme_workers"), value("findme_workers_busy")
    async with obedient(2) as pool:
        assert value("findme_workers") == before[0] + 2
        hanging = asyncio.create_task(pool.analyze(tmp_path / "hang"))
        await eventually((tmp_path / "hanging").exists)
        assert value("findme_workers_busy") == before[1] + 1
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        await eventually(lambda: value("findme_workers_busy") == before[1])
    assert value("findme_workers") == before[0]


async def test_workers_that_died_with_a_photo_are_counted_by_cause_those_let_go_are_not(
    tmp_path: Path,
) -> None:
    def lost() -> tuple[float, float]:
        crashed = value("findme_workers_lost_total", cause="crashed")
        return crashed, value("findme_workers_lost_total", cause="timed_out")

    crashed, timed_out = lost()
    async with obedient(timeout_seconds=0.3) as pool:
        with pytest.raises(WorkerCrashed):
            await pool.analyze(Path("crash"))
        with pytest.raises(WorkerTimedOut):
            await pool.analyze(tmp_path / "hang")
    assert lost() == (crashed + 1, timed_out + 1)
    async with obedient() as pool:
        (tmp_path / "hanging").unlink()
        given_up = asyncio.create_task(pool.analyze(tmp_path / "hang"))
        await eventually((tmp_path / "hanging").exists)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
    assert lost() == (crashed + 1, timed_out + 1)

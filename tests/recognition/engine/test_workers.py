import functools
from pathlib import Path

import psutil
import pytest
from PIL import Image
from prometheus_client import REGISTRY

from libs.common.workers.errors import WorkerCrashed
from services.recognition.engine.engines import EmbeddedEngine
from services.recognition.engine.face_engine import Purpose, UndecodablePhoto
from services.recognition.engine.models.files import ModelUnusable
from services.recognition.engine.workers import engine_pool
from tests.support.decoding_engine import DecodingEngine
from tests.support.faces import grace_hopper
from tests.support.odd_engines import refuse
from tests.support.scripted_engine import ScriptedEngine
from tests.support.worker_processes import workers


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_the_embedded_engine_runs_in_a_worker(tmp_path: Path, model_dir: Path) -> None:
    grace_hopper().save(tmp_path / "photo.png")
    factory = functools.partial(EmbeddedEngine, model_dir=model_dir)
    async with engine_pool(1, factory) as pool:
        analysis = await pool.run(tmp_path / "photo.png", Purpose.PHOTO)
        assert (analysis.width, analysis.height, len(analysis.faces)) == (512, 600, 1)
        (tmp_path / "nothing.png").touch()
        with pytest.raises(UndecodablePhoto, match="empty"):
            await pool.run(tmp_path / "nothing.png", Purpose.PHOTO)


async def test_a_worker_at_its_limit_of_memory_calls_no_photo_damaged(tmp_path: Path) -> None:
    small, large = tmp_path / "small.jpg", tmp_path / "large.png"
    Image.new("RGB", (32, 24), "white").save(small)
    Image.effect_noise((3000, 2000), 50).convert("RGB").save(large, compress_level=0)
    async with engine_pool(1, DecodingEngine) as pool:
        await pool.run(small, Purpose.PHOTO)
        (worker,) = workers()
        at_its_limit = worker.memory_info().vms
        worker.rlimit(psutil.RLIMIT_AS, (at_its_limit, at_its_limit))
        assert (await pool.run(large, Purpose.PHOTO)).width == 3000
        large.write_bytes(large.read_bytes()[:60])
        with pytest.raises(UndecodablePhoto, match="damaged"):
            await pool.run(large, Purpose.PHOTO)


async def test_an_engine_that_cannot_be_built_is_refused_at_the_start() -> None:
    with pytest.raises(ModelUnusable, match="the face model is missing"):
        async with engine_pool(2, refuse):
            pass


async def test_the_engine_s_workers_are_counted_and_so_are_those_that_die(tmp_path: Path) -> None:
    photo = tmp_path / "photo"
    photo.write_text("crash")
    there, lost = value("findme_workers"), value("findme_workers_lost_total", cause="crashed")
    async with engine_pool(2, ScriptedEngine) as pool:
        assert value("findme_workers") == there + 2
        with pytest.raises(WorkerCrashed, match="a face worker died"):
            await pool.run(photo, Purpose.PHOTO)
    assert value("findme_workers") == there
    assert value("findme_workers_busy") == 0
    assert value("findme_workers_lost_total", cause="crashed") == lost + 2

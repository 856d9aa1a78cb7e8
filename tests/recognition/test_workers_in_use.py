import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from libs.common.resources import Resources
from services.recognition.app import create_app
from services.recognition.engine.face_engine import PhotoAnalysis
from services.recognition.settings import RecognitionSettings
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.scripted_engine import ScriptedEngine
from tests.support.world import World


@dataclass(frozen=True)
class MeetingEngine:
    """Answers a photo once as many photos are being analysed at the same time."""

    folder: Path
    together: int

    def analyze(self, path: Path) -> PhotoAnalysis:
        (self.folder / path.name).touch()
        deadline = time.monotonic() + 2 * PATIENCE_SECONDS
        while len(list(self.folder.iterdir())) < self.together:
            if time.monotonic() > deadline:
                raise TimeoutError("the other photos never came")
            time.sleep(0.01)
        return ScriptedEngine().analyze(path)


async def test_a_single_event_keeps_all_workers_busy(
    settings: RecognitionSettings, resources: Resources, world: World, tmp_path: Path
) -> None:
    workers = settings.photo_queue_workers
    assert workers > 1
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    app = create_app(
        settings, resources, engine_factory=partial(MeetingEngine, meeting, together=workers)
    )
    event = await world.event()
    photos = [await world.photo(event, "people") for _ in range(workers)]
    async with app.router.lifespan_context(app):

        async def all_done() -> bool:
            rows = [await world.photo_row(photo) for photo in photos]
            return all(row.processing_status == "done" for row in rows)

        await eventually(all_done)

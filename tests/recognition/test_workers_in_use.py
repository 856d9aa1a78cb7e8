from functools import partial
from pathlib import Path

from libs.common.resources import Resources
from services.recognition.app import create_app
from services.recognition.settings import RecognitionSettings
from tests.support.odd_engines import MeetingEngine
from tests.support.polling import eventually
from tests.support.world import World


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

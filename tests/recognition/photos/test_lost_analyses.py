"""Photos whose analysis ended with its process."""

import asyncio
from functools import partial

import pytest

from libs.common.database.tables import photos
from libs.common.messaging.messages import PhotoUploaded
from services.recognition.engine.profiles import EMBEDDED
from services.recognition.engine.workers import engine_pool
from services.recognition.indexes.embedded.index import EmbeddedIndex
from services.recognition.photos.analysis_slots import AnalysisSlots
from services.recognition.photos.analyze_photo import (
    LOST_REASON,
    MAX_LOST_ANALYSES,
    Analyzer,
    analyze_photo,
)
from tests.support.polling import eventually
from tests.support.scripted_engine import ScriptedEngine
from tests.support.world import World


async def lose(world: World, photo_id: int, times: int) -> None:
    await world.execute(photos.update().where(photos.c.id == photo_id).values(lost_analyses=times))


@pytest.mark.usefixtures("recognition")
async def test_a_photo_that_ended_its_process_too_often_is_given_up_unseen(world: World) -> None:
    event = await world.event()
    deadly = await world.photo(event, "people 1", publish=False)
    await lose(world, deadly, MAX_LOST_ANALYSES)
    unlucky = await world.photo(event, "people 1", publish=False)
    await lose(world, unlucky, MAX_LOST_ANALYSES - 1)
    async with world.database.unit_of_work() as unit:
        for photo in (deadly, unlucky):
            unit.publish(PhotoUploaded(event_id=event, photo_id=photo))

    async def both_ended() -> bool:
        rows = [await world.photo_row(photo) for photo in (deadly, unlucky)]
        return [(row.processing_status, row.processing_error) for row in rows] == [
            ("failed", LOST_REASON),
            ("done", None),
        ]

    await eventually(both_ended)
    letter = "SELECT reason FROM dead_letters"

    async def is_kept_for_operators() -> bool:
        return "ended its process 3 times" in (await world.scalar(letter) or "")

    await eventually(is_kept_for_operators)
    assert await world.scalar("SELECT count(*) FROM faces WHERE photo_id = :id", id=deadly) == 0


async def test_a_shutdown_in_the_middle_of_an_analysis_is_not_held_against_the_photo(
    world: World,
) -> None:
    event = await world.event()
    photo = await world.photo(event, "people 1", publish=False)
    lost = "SELECT lost_analyses FROM photos"
    async with engine_pool(1, partial(ScriptedEngine, seconds=60)) as pool:
        index = EmbeddedIndex(world.database, pool, EMBEDDED, photos_at_once=1)
        analyzer = Analyzer(world.database, world.store, index, AnalysisSlots(1))
        analysis = asyncio.create_task(
            analyze_photo(
                PhotoUploaded(event_id=event, photo_id=photo),
                attempt=1,
                last_attempt=False,
                is_repeat=False,
                using=analyzer,
            )
        )

        async def has_begun() -> bool:
            return bool(await world.scalar(lost) == 1)

        await eventually(has_begun)
        analysis.cancel()
        with pytest.raises(asyncio.CancelledError):
            await analysis
    assert await world.scalar(lost) == 0

"""Faces that are stored but never matched: too blurred, or another engine's."""

import pytest

from libs.common.database.database import Database
from services.recognition.engine.face_engine import (
    EMBEDDED,
    MIN_QUALITY,
    OPENCV,
    DetectedFace,
    EngineProfile,
    PhotoAnalysis,
)
from services.recognition.indexes.embedded import repository as face_sets
from services.recognition.indexes.embedded.index import indexed_photo
from services.recognition.photos import repository
from tests.support.rows import Rows
from tests.support.scripted_engine import embedding_of
from tests.support.world import World


async def stored(
    database: Database, *, quality: float, engine: EngineProfile = EMBEDDED
) -> tuple[int, int]:
    """The ids of an event and of its photo with one such face."""
    rows = Rows(database)
    event_id = await rows.event()
    photo_id = await rows.insert_photo(event_id)
    face = DetectedFace(0.1, 0.1, 0.2, 0.3, 0.9, embedding_of(1), quality=quality)
    analysis = indexed_photo(PhotoAnalysis(4000, 3000, "", (face,)))
    async with database.unit_of_work() as unit:
        photo = await repository.find_photo(unit.connection, photo_id)
        assert photo is not None
        assert await repository.save_analysis(unit.connection, photo, analysis, engine=engine.name)
    return event_id, photo_id


async def seen(database: Database, event_id: int, photo_id: int) -> tuple[int, int]:
    """How many faces a photo's own match step and a late selfie's scan look at."""
    async with database.read() as connection:
        own = await face_sets.faces_of_photos(connection, [photo_id], engine=EMBEDDED)
        scanned = [
            len(faces)
            async for faces in face_sets.scan_faces(connection, event_id, engine=EMBEDDED)
        ]
    return len(own), sum(scanned)


@pytest.mark.parametrize(("quality", "faces"), [(0.9, 1), (MIN_QUALITY + 0.01, 1), (0.05, 0)])
async def test_a_face_is_matched_if_it_is_good_enough(
    world: World, quality: float, faces: int
) -> None:
    database = world.database
    assert await seen(database, *await stored(database, quality=quality)) == (faces, faces)


async def test_another_engine_s_faces_are_not_compared(world: World) -> None:
    database = world.database
    assert await seen(database, *await stored(database, quality=0.9, engine=OPENCV)) == (0, 0)

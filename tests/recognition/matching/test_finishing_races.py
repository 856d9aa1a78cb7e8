"""A photo and a selfie of a new engine that two owners finish at the same time.

What the old engine had found of the two stands until both are compared by the new one, and is
then gone, whoever is first at which step.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sqlalchemy import text, update

from libs.common.database.database import Database
from libs.common.database.tables import photos
from libs.common.messaging.messages import PhotoAnalyzed
from services.recognition.engine.face_engine import EMBEDDED, to_bytes
from services.recognition.indexes.face_index import FaceKey, IndexedFace, IndexedPhoto
from services.recognition.matching import repository as stored_matches
from services.recognition.matching.match import Matcher, finish_selfies, match_photos
from services.recognition.photos import repository
from services.recognition.photos.repository import find_photo
from services.recognition.selfies import repository as selfie_repository
from services.recognition.settings import RecognitionSettings
from tests.recognition.matching.test_finishing import matcher, photo
from tests.support.gate import Gate
from tests.support.locks import someone_waits
from tests.support.polling import eventually
from tests.support.rows import Rows
from tests.support.scripted_engine import embedding_of

#: Of the engine before this one.
GONE_FACE = 10**9


@pytest.fixture
async def owner_of_photos(settings: RecognitionSettings) -> AsyncIterator[Matcher]:
    async with Database.open(settings) as database:
        yield matcher(Rows(database))


@dataclass(frozen=True)
class Pair:
    """A guest's selfie, and a photo in which only the old engine saw the guest."""

    event_id: int
    user_id: int
    selfie_id: int
    photo_id: int
    rows: Rows

    async def has_match(self) -> bool:
        return bool(await self.rows.scalar("SELECT count(*) FROM matches"))

    async def index_selfie(self) -> None:
        """What its owner commits before it scans the photos."""
        async with self.rows.database.unit_of_work() as unit:
            assert await selfie_repository.save_face_key(
                unit.connection,
                selfie_id=self.selfie_id,
                event_id=self.event_id,
                key=FaceKey(embedding=to_bytes(embedding_of(1))),
                engine=EMBEDDED.name,
            )

    async def finish_selfie(self) -> None:
        async with self.rows.database.unit_of_work() as unit:
            await finish_selfies(self.event_id, [self.selfie_id], unit=unit)

    async def analyse_photo(self, owner: Matcher) -> None:
        """The new engine sees somebody else."""
        face = IndexedFace(
            left=0.1,
            top=0.1,
            width=0.1,
            height=0.1,
            confidence=0.9,
            quality=1,
            key=FaceKey(embedding=to_bytes(embedding_of(2))),
        )
        async with owner.database.unit_of_work() as unit:
            found = await find_photo(unit.connection, self.photo_id)
            assert found is not None
            assert await repository.save_analysis(
                unit.connection,
                found,
                IndexedPhoto(width=1, height=1, placeholder="", faces=(face,)),
                engine=EMBEDDED.name,
            )

    async def match_photo(self, owner: Matcher) -> None:
        message = PhotoAnalyzed(event_id=self.event_id, photo_id=self.photo_id)
        await match_photos([message], using=owner)


@pytest.fixture
async def pair(rows: Rows) -> Pair:
    """The selfie is claimed by its owner, the photo waits to be matched by its own."""
    event_id = await rows.event()
    guest = await rows.person(joined=event_id)
    selfie_id = await rows.insert_selfie(guest)
    await rows.index(selfie_id, event_id, guest, status="claimed")
    photo_id = await photo(rows, event_id, 2)
    await rows.execute(text("UPDATE photos SET finished_at = now() - interval '1 hour'"))
    await rows.match(guest, event_id, [photo_id], selfie_id, face_id=GONE_FACE)
    return Pair(event_id, guest.id, selfie_id, photo_id, rows)


async def held_or_through(task: asyncio.Task[None], rows: Rows) -> None:
    """Wait until a transaction of this database waits for another one, or the task is done."""

    async def is_so() -> bool:
        return task.done() or await someone_waits(rows.database)

    await eventually(is_so)


async def test_a_selfie_indexed_after_the_photos_comparison_is_finished_beside_the_photo(
    pair: Pair, owner_of_photos: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, stored_matches, "guests_in_photos")
    photo_step = asyncio.create_task(pair.match_photo(owner_of_photos))
    await gate.reached.wait()
    await pair.index_selfie()
    selfie_step = asyncio.create_task(pair.finish_selfie())
    await held_or_through(selfie_step, pair.rows)
    gate.open()
    await asyncio.gather(photo_step, selfie_step)
    assert not await pair.has_match()


async def test_a_photo_is_finished_beside_a_selfie_that_is_about_to_commit(
    pair: Pair, owner_of_photos: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pair.index_selfie()
    gate = Gate(monkeypatch, selfie_repository, "finish_selfies", after=True)
    selfie_step = asyncio.create_task(pair.finish_selfie())
    await gate.reached.wait()
    photo_step = asyncio.create_task(pair.match_photo(owner_of_photos))
    await held_or_through(photo_step, pair.rows)
    gate.open()
    await asyncio.gather(photo_step, selfie_step)
    assert not await pair.has_match()


async def test_a_photo_is_analysed_anew_while_a_selfie_is_about_to_commit(
    pair: Pair, owner_of_photos: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pair.rows.execute(update(photos).values(processing_status="done", engine="opencv"))
    await pair.index_selfie()
    gate = Gate(monkeypatch, selfie_repository, "finish_selfies", after=True)
    selfie_step = asyncio.create_task(pair.finish_selfie())
    await gate.reached.wait()

    async def both_steps() -> None:
        await pair.analyse_photo(owner_of_photos)
        await pair.match_photo(owner_of_photos)

    photo_steps = asyncio.create_task(both_steps())
    await held_or_through(photo_steps, pair.rows)
    gate.open()
    await asyncio.gather(photo_steps, selfie_step)
    assert not await pair.has_match()


async def test_a_match_stands_while_the_selfies_own_scan_is_under_way(
    pair: Pair, owner_of_photos: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, stored_matches, "upsert")
    photo_step = asyncio.create_task(pair.match_photo(owner_of_photos))
    await gate.reached.wait()
    await pair.index_selfie()
    gate.open()
    await photo_step
    # The guest's scan may find them in the photo yet.
    assert await pair.has_match()
    await pair.finish_selfie()
    assert not await pair.has_match()

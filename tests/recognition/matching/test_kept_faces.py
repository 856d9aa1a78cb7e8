"""A large event's faces in memory: rounded, and yet the result is that of comparing all."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from fastapi import FastAPI
from sqlalchemy import delete, insert, update

from libs.common.database.tables import faces, photos
from libs.common.messaging.messages import PhotoDeleted
from services.recognition.engine.engines import EmbeddedEngine
from services.recognition.engine.face_engine import EMBEDDED, FloatArray, to_bytes
from services.recognition.engine.workers import engine_pool
from services.recognition.indexes.embedded import kept_faces
from services.recognition.indexes.embedded.index import EmbeddedIndex
from services.recognition.indexes.embedded.kept_faces import (
    MANY_BLOCKS,
    NO_PHOTOS,
    SMALL_BLOCK_FACES,
    AnalyzedPhotos,
    EventFaces,
    KeptFaces,
)
from services.recognition.matching.compare import FaceSet, Match, SelfieSet, best_matches
from tests.recognition.matching.test_matching import settled
from tests.support.polling import eventually
from tests.support.rows import Rows
from tests.support.scripted_engine import embedding_of, like
from tests.support.world import World

THRESHOLD = 75.0
SIZE = EMBEDDED.embedding_size


def face_set(embeddings: FloatArray) -> FaceSet:
    numbers = np.arange(1, len(embeddings) + 1)
    return FaceSet(numbers, numbers * 10, embeddings)


def selfie_set(embeddings: FloatArray) -> SelfieSet:
    numbers = np.arange(1, len(embeddings) + 1)
    return SelfieSet(numbers, numbers, embeddings)


def photos_of(*pairs: tuple[int, int]) -> AnalyzedPhotos:
    ids, moments = np.array(pairs, np.int64).reshape(-1, 2).T
    return AnalyzedPhotos(ids, moments)


def test_no_face_that_is_alike_is_missed_however_close_to_the_threshold() -> None:
    random = np.random.default_rng(3)
    limit = EMBEDDED.calibration.distance_of(THRESHOLD)
    selfies = random.standard_normal((3, SIZE), np.float32) * np.float32(0.05)
    directions = random.standard_normal((20_000, SIZE), np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    # As far apart as the limit, but for a thousandth more or less.
    distances = np.float32(limit) * random.uniform(0.999, 1.001, (20_000, 1)).astype(np.float32)
    found = face_set(selfies[random.integers(3, size=20_000)] + distances * directions)
    kept = EventFaces(photos_of())
    kept.add(found)
    near = set(kept.near(selfie_set(selfies), limit).tolist())
    alike = best_matches(
        selfie_set(selfies), found, threshold=THRESHOLD, calibration=EMBEDDED.calibration
    )
    assert 5_000 < len(alike) < 15_000
    assert {match.face_id for match in alike} <= near


def test_few_faces_of_strangers_have_to_be_read() -> None:
    strangers = np.random.default_rng(4).standard_normal((20_000, SIZE), np.float32)
    strangers *= np.float32(0.6) / np.linalg.norm(strangers, axis=1, keepdims=True)
    kept = EventFaces(photos_of())
    kept.add(face_set(strangers))
    limit = EMBEDDED.calibration.distance_of(THRESHOLD)
    near = kept.near(selfie_set(strangers[:1]), limit)
    exact = np.linalg.norm(strangers - strangers[0], axis=1) <= limit
    assert exact.sum() <= len(near) <= exact.sum() + 20
    assert kept.nbytes < 20_000 * (SIZE + 32)


def test_photos_that_come_one_by_one_make_few_blocks() -> None:
    people = np.random.default_rng(5).standard_normal((12_000, SIZE), np.float32)
    one_by_one = EventFaces(photos_of())
    every = face_set(people)
    for first in range(0, 12_000, 30):
        some = slice(first, first + 30)
        one_by_one.add(FaceSet(every.face_ids[some], every.photo_ids[some], people[some]))
        assert len(one_by_one.blocks) <= MANY_BLOCKS
    assert max(len(block.face_ids) for block in one_by_one.blocks) < 2 * SMALL_BLOCK_FACES
    distance = 21.5
    near = set(one_by_one.near(selfie_set(people[7:8]), distance).tolist())
    exact = every.face_ids[np.linalg.norm(people - people[7], axis=1) <= distance]
    assert 2 <= len(exact) <= len(near) < 12_000
    assert set(exact.tolist()) <= near


def test_a_photo_that_was_analysed_anew_is_another_one() -> None:
    now = photos_of((1, 5), (2, 5), (4, 9))
    assert now.without(photos_of((1, 5), (3, 5), (4, 5))).tolist() == [2, 4]
    assert now.without(photos_of()).tolist() == [1, 2, 4]
    assert photos_of().without(now).tolist() == []


def faces_of(count: int) -> FaceSet:
    return face_set(np.ones((count, SIZE), np.float32))


def read(kept: KeptFaces, event_id: int, count: int, *, forgotten: int | None = None) -> None:
    """Read an event of so many faces, as one set."""
    before = kept.of(event_id) or EventFaces(NO_PHOTOS)
    forgotten = kept.forgotten if forgotten is None else forgotten
    with kept.reading(event_id, MANY, before, forgotten=forgotten) as reading:
        kept.reserve(event_id, reading, faces_of(count))
        reading.add(faces_of(count))


MANY = AnalyzedPhotos(np.arange(1_000), np.ones(1_000, np.int64))
LIST_BYTES = 16_000
FACE_BYTES = SIZE + 24


def room(*, faces: int, lists: int) -> int:
    return faces * FACE_BYTES + lists * LIST_BYTES


def test_an_event_that_takes_more_than_there_is_room_for_is_not_tried_again() -> None:
    kept = KeptFaces(max_bytes=room(faces=99, lists=1))
    assert kept.is_worth_keeping(1, MANY)
    read(kept, 1, 100)
    assert kept.of(1) is None
    assert not kept.is_worth_keeping(1, MANY)
    assert kept.nbytes == 0


def test_nothing_is_kept_that_was_read_while_something_was_forgotten() -> None:
    kept = KeptFaces()
    before = kept.forgotten
    kept.forget(1, [7])
    read(kept, 1, 10, forgotten=before)
    assert kept.of(1) is None
    with kept.reading(1, MANY, EventFaces(NO_PHOTOS), forgotten=kept.forgotten) as reading:
        kept.reserve(1, reading, faces_of(10))
        reading.add(faces_of(10))
        kept.forget(2)
        assert kept.nbytes == 0
        kept.reserve(1, reading, faces_of(10))
        reading.add(faces_of(10))
        assert kept.nbytes == 0
    assert kept.of(1) is None


def test_what_is_being_read_takes_its_room_from_what_was_asked_for_longest_ago() -> None:
    kept = KeptFaces(max_bytes=room(faces=300, lists=3))
    for event_id in (1, 2):
        read(kept, event_id, 100)
    assert kept.nbytes == room(faces=200, lists=2)
    kept.of(1)
    with kept.reading(3, MANY, EventFaces(NO_PHOTOS), forgotten=kept.forgotten) as reading:
        kept.reserve(3, reading, faces_of(100))
        assert kept.nbytes == room(faces=300, lists=3)
        kept.reserve(3, reading, faces_of(50))
        assert (kept.of(2), kept.of(1) is None) == (None, False)
        assert kept.nbytes == room(faces=250, lists=2)
        for _ in range(2):
            reading.add(faces_of(75))
    assert kept.nbytes == room(faces=250, lists=2)
    assert len(kept.knows(3)) == 150


def test_events_that_are_read_at_once_take_no_more_together_than_there_is_room_for() -> None:
    kept = KeptFaces(max_bytes=room(faces=150, lists=2))
    none = EventFaces(NO_PHOTOS)
    with (
        kept.reading(1, MANY, none, forgotten=0) as one,
        kept.reading(2, MANY, EventFaces(NO_PHOTOS), forgotten=0) as two,
    ):
        kept.reserve(1, one, faces_of(100))
        one.add(faces_of(100))
        kept.reserve(2, two, faces_of(100))
        two.add(faces_of(100))
        assert two.is_given_up
        assert kept.nbytes == room(faces=100, lists=1)
    assert kept.of(1) is not None
    assert kept.of(2) is None
    # Another time there may be room.
    assert kept.is_worth_keeping(2, MANY)


def test_what_an_event_is_added_to_is_counted_once_and_stays() -> None:
    kept = KeptFaces(max_bytes=room(faces=150, lists=2))
    read(kept, 1, 100)
    read(kept, 1, 50)
    assert len(kept.knows(1)) == 150
    assert kept.nbytes == room(faces=150, lists=1)
    read(kept, 1, 1_000)
    assert len(kept.knows(1)) == 150


def test_a_reading_that_fails_gives_its_room_back() -> None:
    kept = KeptFaces()
    failing = kept.reading(1, MANY, EventFaces(NO_PHOTOS), forgotten=0)
    kept.reserve(1, failing.__enter__(), faces_of(10))
    assert kept.nbytes == room(faces=10, lists=1)
    assert not failing.__exit__(ConnectionError, ConnectionError(), None)
    assert kept.nbytes == 0
    assert kept.of(1) is None


class Event:
    """An event with photos that are matched, and an index that keeps its faces."""

    def __init__(self, rows: Rows, event_id: int) -> None:
        self.rows = rows
        self.id = event_id
        pool = engine_pool(1, EmbeddedEngine)  # never started
        self.index = EmbeddedIndex(rows.database, pool, EMBEDDED, photos_at_once=1)

    async def photo(self, *people: FloatArray) -> int:
        photo = await self.rows.insert_photo(
            self.id, processing_status="done", engine=EMBEDDED.name, analyzed_at=datetime.now(UTC)
        )
        await self.add_faces(photo, people)
        return photo

    async def add_faces(self, photo: int, people: Sequence[FloatArray]) -> None:
        for position, person in enumerate(people):
            face = {
                "photo_id": photo, "event_id": self.id, "position": position, "left": 0.1,
                "top": 0.1, "width": 0.1, "height": 0.1, "confidence": 0.9,
                "engine": EMBEDDED.name, "embedding": to_bytes(person),
            }  # fmt: skip
            await self.rows.execute(insert(faces).values(face))

    async def late_selfie(self, person: int) -> list[Match]:
        guest = await self.rows.person(joined=self.id)
        selfie = await self.rows.insert_selfie(guest)
        await self.rows.index(
            selfie, self.id, guest, status="indexed", engine=EMBEDDED.name,
            embedding=to_bytes(embedding_of(person)),
        )  # fmt: skip
        matching = self.index.match(self.id, selfie_ids=[selfie], threshold=THRESHOLD)
        return [match async for found in matching for match in found]

    async def photos_of(self, person: int) -> list[int]:
        return sorted(match.photo_id for match in await self.late_selfie(person))


@pytest.fixture
def every_event_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_faces, "LARGE_EVENT_PHOTOS", 1)


@pytest.fixture
async def event(rows: Rows, every_event_is_large: None) -> AsyncIterator[Event]:
    event = Event(rows, await rows.event())
    yield event
    event.index.close()


async def test_a_second_late_selfie_finds_what_comparing_all_finds(event: Event) -> None:
    for number in range(12):
        await event.photo(embedding_of(number % 3), like("1?"), embedding_of(100 + number))
    first = {person: await event.late_selfie(person) for person in (1, 2)}
    assert event.index.knows_faces(event.id)
    event.index.forget_all()
    assert event.index.knows_faces(event.id) == []
    for person in (2, 1):
        again = await event.late_selfie(person)
        assert [(match.photo_id, match.face_id, match.similarity) for match in again] == [
            (match.photo_id, match.face_id, match.similarity) for match in first[person]
        ]


async def test_photos_that_come_go_or_are_analysed_anew_are_seen(event: Event) -> None:
    ours = [await event.photo(embedding_of(1)) for _ in range(3)]
    assert await event.photos_of(1) == ours
    ours.append(await event.photo(embedding_of(1)))
    assert await event.photos_of(1) == ours
    await event.rows.execute(delete(photos).where(photos.c.id == ours[0]))
    assert await event.photos_of(1) == ours[1:]
    # Analysed anew, it shows somebody else.
    await event.rows.execute(delete(faces).where(faces.c.photo_id == ours[1]))
    await event.rows.execute(
        update(photos).where(photos.c.id == ours[1]).values(analyzed_at=datetime.now(UTC))
    )
    await event.add_faces(ours[1], [embedding_of(2)])
    assert await event.photos_of(1) == ours[2:]
    assert await event.photos_of(2) == [ours[1]]
    assert len(event.index.knows_faces(event.id)) == 3


@pytest.mark.usefixtures("every_event_is_large")
async def test_a_deleted_photos_faces_are_forgotten(world: World, recognition: FastAPI) -> None:
    event = await world.event()
    kept, gone = [await world.photo(event, f"people {person} 9") for person in (1, 2)]
    await eventually(lambda: settled(world))
    await world.guest(event, person=1)
    await eventually(lambda: settled(world))
    index = recognition.state.index
    assert isinstance(index, EmbeddedIndex)
    await eventually(lambda: len(index.knows_faces(event)) == 4)
    async with world.database.unit_of_work() as unit:
        await unit.connection.execute(delete(photos).where(photos.c.id == gone))
        unit.publish(PhotoDeleted(event_id=event, photo_id=gone, filename="gone.jpg"))
    await eventually(lambda: len(index.knows_faces(event)) == 2)
    left = await world.scalar("SELECT count(*) FROM faces WHERE photo_id = :photo", photo=kept)
    assert left == 2

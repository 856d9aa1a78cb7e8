"""What becomes of photos and selfies whose analysis fails at its last attempt, too."""

import asyncio
import errno
import hashlib
from pathlib import Path

import pytest
from sqlalchemy import func, text
from sqlalchemy.exc import DBAPIError

from libs.common.database import outbox
from libs.common.database.tables import photos
from libs.common.errors import PermanentError, Unavailable
from libs.common.exhaustion import Exhausted
from libs.common.messaging.bus.protocol import Death, Delivery
from libs.common.messaging.dead_letters import repository as dead_letters
from libs.common.messaging.dead_letters.settle import Settlement, settle_all
from libs.common.messaging.messages import PhotoUploaded
from libs.common.storage.keys import photo_key
from libs.common.storage.whole_file import NotAsUploaded
from libs.common.workers.errors import WorkerCrashed, WorkerNotStarted, WorkersStopped
from libs.common.workers.trial import WorkerOverwhelmed
from services.recognition import metrics
from services.recognition.engine.face_engine import EMBEDDED
from services.recognition.indexes.embedded.index import EmbeddedIndex
from services.recognition.indexes.face_index import FaceKey, IndexedPhoto, PhotoKey, SelfieKey
from services.recognition.matching.match import Matcher
from services.recognition.photos import repository
from services.recognition.photos.analyze_photo import (
    LOST_REASON,
    NOT_AS_UPLOADED_REASON,
    REPEATED_REASON,
    Analyzer,
    analyze_photo,
)
from services.recognition.photos.claims import AnalysisClaims, AnalysisSlots
from services.recognition.photos.thumbnails import Thumbnails
from services.recognition.selfies.index_selfie import REPEATED_REASON as SELFIE_REASON
from services.recognition.selfies.index_selfie import SelfieIndexer, index_selfie
from tests.support.conflicts import OneDeadlock
from tests.support.polling import eventually
from tests.support.stores import fetches_from
from tests.support.world import World

#: Of photos that were analysed.
WIDTH = 1


class FailingIndex(EmbeddedIndex):
    """Raises the error for every photo and selfie; without one it finds nobody."""

    def __init__(self, error: Exception | None = None) -> None:
        self.name = EMBEDDED.name
        self.photos_at_once = 1
        self._error = error

    async def index_photo(self, photo: PhotoKey, path: Path) -> IndexedPhoto:
        if self._error is not None:
            raise self._error
        return IndexedPhoto(width=WIDTH, height=1, placeholder="", faces=())

    async def index_selfie(self, selfie: SelfieKey, path: Path) -> FaceKey:
        assert self._error is not None
        raise self._error


def analyzer(world: World, index: FailingIndex) -> Analyzer:
    claims = AnalysisClaims(
        world.database, claimant="one", lease_seconds=60, replica_lease_seconds=10
    )
    return Analyzer(
        world.database,
        fetches_from(world.store),
        index,
        AnalysisSlots(1),
        claims,
        Thumbnails(world.store),
    )


async def analyse(
    world: World,
    event: int,
    photo: int,
    index: FailingIndex,
    *,
    delivery_attempt: int = 4,
    reindex_for: str | None = None,
) -> None:
    await analyze_photo(
        PhotoUploaded(event_id=event, photo_id=photo, reindex_for=reindex_for),
        delivery_attempt=delivery_attempt,
        last_attempt=delivery_attempt == 4,
        is_repeat=True,
        using=analyzer(world, index),
    )


async def error_of_a_statement(world: World) -> DBAPIError:
    with pytest.raises(DBAPIError) as caught:
        async with world.database.read() as connection:
            await connection.execute(text("SELECT 1 / 0"))
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        WorkerNotStarted("a face worker did not start"),
        WorkersStopped("the face workers are being stopped"),
        WorkerOverwhelmed("a face worker died before it could answer"),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EMFILE, "Too many open files"),
        MemoryError(),
        Exhausted("disk space"),
        Unavailable("somewhere else"),
    ],
)
async def test_what_is_no_fault_of_a_photo_does_not_fail_it(world: World, error: Exception) -> None:
    event = await world.event()
    photo = await world.photo(event, "people 1", publish=False)
    with pytest.raises(type(error)):
        await analyse(world, event, photo, FailingIndex(error))
    assert (await world.photo_row(photo)).processing_status == "queued"


async def test_a_photo_that_overwhelms_its_workers_is_tried_alone_and_given_up_in_the_end(
    world: World,
) -> None:
    event = await world.event()
    photo = await world.photo(event, "people 1", publish=False)
    index = FailingIndex(WorkerOverwhelmed("a face worker died before it could answer"))
    for times in (1, 2, 3):
        with pytest.raises(WorkerOverwhelmed):
            await analyse(world, event, photo, index)
        assert await world.scalar("SELECT lost_analyses FROM photos") == times
    with pytest.raises(PermanentError, match="ended its process 3 times"):
        await analyse(world, event, photo, index)
    row = await world.photo_row(photo)
    assert (row.processing_status, row.processing_error) == ("failed", LOST_REASON)


async def test_a_photo_that_breaks_its_workers_fails_at_once_as_they_have_tried_it_twice(
    world: World,
) -> None:
    event = await world.event()
    photo = await world.photo(event, "people 1", publish=False)
    index = FailingIndex(WorkerCrashed("a face worker died before it could answer: SIGSEGV"))
    with pytest.raises(PermanentError, match="failed in its workers"):
        await analyse(world, event, photo, index, delivery_attempt=1)
    assert "a face worker died" in (await world.photo_row(photo)).processing_error


@pytest.mark.parametrize("is_last", [False, True])
async def test_a_photo_whose_object_is_not_what_was_uploaded_fails_with_that_reason_at_the_end(
    world: World, *, is_last: bool
) -> None:
    event = await world.event()
    photo = await world.photo(event, "people 1 2 3", publish=False)
    filename = (await world.photo_row(photo)).filename
    await world.store.put(photo_key(event, filename), b"people 1", content_type="image/jpeg")
    attempt = 4 if is_last else 1
    with pytest.raises(NotAsUploaded):
        await analyse(world, event, photo, FailingIndex(), delivery_attempt=attempt)
    row = await world.photo_row(photo)
    if not is_last:
        assert row.processing_status == "queued"
        await world.store.put(
            photo_key(event, filename), b"people 1 2 3", content_type="image/jpeg"
        )
        await analyse(world, event, photo, FailingIndex())
        assert (await world.photo_row(photo)).processing_status == "done"
        return
    assert (row.processing_status, row.processing_error) == ("failed", NOT_AS_UPLOADED_REASON)


@pytest.mark.parametrize("engine_of_faces", ["opencv", None])
async def test_a_photo_that_a_new_engine_could_not_read_is_analysed_by_the_replay_of_its_letter(
    world: World, engine_of_faces: str | None
) -> None:
    event = await world.event()
    photo = await world.photo(event, "people 1 2 3", publish=False)
    if engine_of_faces is not None:
        await world.face(photo, event, engine=engine_of_faces)
    await world.execute(
        photos.update().values(processing_status="done", engine="opencv", finished_at=func.now())
    )
    key = photo_key(event, (await world.photo_row(photo)).filename)
    await world.store.put(key, b"people 1", content_type="image/jpeg")
    with pytest.raises(NotAsUploaded):
        await analyse(world, event, photo, FailingIndex(), reindex_for=EMBEDDED.name)
    kept = await world.photo_row(photo)
    assert (kept.processing_status, kept.engine) == ("done", EMBEDDED.name)

    await world.store.put(key, b"people 1 2 3", content_type="image/jpeg")
    await replay_letter_of(
        world, PhotoUploaded(event_id=event, photo_id=photo, reindex_for=EMBEDDED.name)
    )
    # Whoever feeds does not send it once more.
    assert (await world.photo_row(photo)).reindexing_since is not None
    await analyse(world, event, photo, FailingIndex(), reindex_for=EMBEDDED.name)
    row = await world.photo_row(photo)
    assert (row.processing_status, row.engine, row.width) == ("done", EMBEDDED.name, WIDTH)


async def test_a_photo_that_was_analysed_after_its_letter_stays_as_it_is(world: World) -> None:
    event = await world.event()
    photo = await world.insert_photo(event, processing_status="done", engine=EMBEDDED.name)
    await world.face(photo, event, engine=EMBEDDED.name)
    await replay_letter_of(
        world, PhotoUploaded(event_id=event, photo_id=photo, reindex_for=EMBEDDED.name)
    )
    row = await world.photo_row(photo)
    assert (row.engine, row.reindexing_since) == (EMBEDDED.name, None)


async def replay_letter_of(world: World, message: PhotoUploaded) -> None:
    sent = message.outgoing()
    letter = Delivery("a queue", sent.routing_key, sent.body, sent.message_id, 4, False)
    async with world.database.unit_of_work() as unit:
        await dead_letters.add(unit.connection, letter, Death(letter.queue, "a test", 4))
    assert await settle_all(None, Settlement.REPLAYED, database=world.database) == 1


@pytest.mark.parametrize(
    ("error", "times"),
    [
        (WorkerCrashed("a face worker died before it could answer: SIGSEGV"), 1),
        (WorkerOverwhelmed("a face worker died before it could answer"), 3),
    ],
)
async def test_a_selfie_that_breaks_its_workers_keeps_its_partition_waiting_no_longer(
    world: World, error: Exception, times: int
) -> None:
    event = await world.event()
    guest = await world.user()
    await world.join(guest, event)
    selfie = SelfieKey(event, guest, await world.selfie(guest, "people 1", publish=False))
    indexer = SelfieIndexer(
        Matcher(world.database, FailingIndex(error)), world.store, "one", 60, 10
    )
    for _ in range(times - 1):
        with pytest.raises(type(error)):
            await index_selfie(selfie, last_attempt=False, using=indexer)
    with pytest.raises(PermanentError, match="failed in its workers"):
        await index_selfie(selfie, last_attempt=False, using=indexer)
    failed = await world.scalar("SELECT error FROM selfie_indexes WHERE status = 'failed'")
    assert failed == SELFIE_REASON


class HeldIndex(FailingIndex):
    """Answers for a selfie when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.has_begun, self.may_end = asyncio.Event(), asyncio.Event()

    async def index_selfie(self, selfie: SelfieKey, path: Path) -> FaceKey:
        del selfie, path
        self.has_begun.set()
        await self.may_end.wait()
        return FaceKey(external_face_id="a face")


async def test_a_selfie_s_claim_is_renewed_for_as_long_as_it_is_in_hand(world: World) -> None:
    event = await world.event()
    guest = await world.user()
    await world.join(guest, event)
    selfie = SelfieKey(event, guest, await world.selfie(guest, "people 1", publish=False))
    index = HeldIndex()
    indexer = SelfieIndexer(Matcher(world.database, index), world.store, "one", 0.5, 10)
    indexing = asyncio.create_task(index_selfie(selfie, last_attempt=False, using=indexer))
    await index.has_begun.wait()
    claimed_at = await world.scalar("SELECT claimed_at FROM selfie_indexes")

    async def is_renewed() -> bool:
        return bool(await world.scalar("SELECT claimed_at FROM selfie_indexes") > claimed_at)

    await eventually(is_renewed)
    assert await world.scalar("SELECT status FROM selfie_indexes") == "claimed"
    index.may_end.set()
    assert await indexing


async def test_an_error_that_would_come_back_for_ever_fails_the_photo_and_tells_no_sql(
    world: World,
) -> None:
    event = await world.event()
    photo = await world.photo(event, "people 1", publish=False)
    error = await error_of_a_statement(world)
    with pytest.raises(DBAPIError):
        await analyse(world, event, photo, FailingIndex(error))
    row = await world.photo_row(photo)
    assert (row.processing_status, row.processing_error) == ("failed", REPEATED_REASON)


@pytest.mark.parametrize("is_there", [True, False])
async def test_a_guest_is_told_nothing_of_the_inside_when_a_selfie_fails(
    world: World, *, is_there: bool
) -> None:
    event = await world.event()
    guest = await world.user()
    await world.join(guest, event)
    content = b"a selfie"
    selfie = await world.insert_selfie(
        guest, size_bytes=len(content), sha256=hashlib.sha256(content).digest()
    )
    key = str(await world.scalar("SELECT object_key FROM selfies"))
    if is_there:
        await world.store.put(key, content, content_type="image/jpeg")
    indexer = SelfieIndexer(
        Matcher(world.database, FailingIndex(ValueError("/var/lib/secret"))),
        world.store,
        "one",
        60,
        10,
    )
    indexing = index_selfie(SelfieKey(event, guest, selfie), last_attempt=True, using=indexer)
    if is_there:
        with pytest.raises(ValueError, match="secret"):
            await indexing
    else:
        await indexing
    reason = str(await world.scalar("SELECT error FROM selfie_indexes WHERE status = 'failed'"))
    assert key not in reason
    assert "secret" not in reason
    assert (reason == SELFIE_REASON) == is_there


async def test_a_photo_whose_transaction_is_repeated_is_counted_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await world.event()
    photo = await world.photo(event, "people", publish=False)
    # The first transaction claims the photo, the second one saves what was found.
    deadlock = OneDeadlock(outbox.append, at_call=2)
    monkeypatch.setattr(outbox, "append", deadlock)
    before = latencies()
    await analyse(world, event, photo, FailingIndex())
    assert deadlock.calls == 3
    assert latencies() == before + 1


def latencies() -> float:
    (metric,) = metrics.MATCH_LATENCY.collect()
    return sum(sample.value for sample in metric.samples if sample.name.endswith("_count"))


async def test_a_claim_that_is_given_back_late_is_not_given_back_from_a_later_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await world.event()
    late, other = [await world.insert_photo(event) for _ in range(2)]
    claims = AnalysisClaims(
        world.database, claimant="one", lease_seconds=60, replica_lease_seconds=10
    )
    claims._to_give_back.add(late)  # as when the database was away
    is_giving, may_give = asyncio.Event(), asyncio.Event()
    give_back = repository.give_back

    async def slowly(*args: object, **options: object) -> None:
        is_giving.set()
        await may_give.wait()
        await give_back(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(repository, "give_back", slowly)
    async with world.database.read() as connection:
        rows = [await repository.find_photo(connection, photo) for photo in (late, other)]
    late_row, other_row = rows
    assert late_row is not None
    assert other_row is not None
    held = asyncio.Event()
    end = asyncio.Event()

    async def take_other() -> None:
        async with claims.taken(other_row):
            pass

    async def take_late() -> None:
        async with claims.taken(late_row) as is_taken:
            if is_taken:
                held.set()
                await end.wait()

    taking_other = asyncio.create_task(take_other())
    await is_giving.wait()
    taking_late = asyncio.create_task(take_late())
    await eventually(lambda: late in claims._in_hand)
    may_give.set()
    await taking_other
    await eventually(lambda: held.is_set() or taking_late.done())
    if held.is_set():
        assert (await world.photo_row(late)).claimed_by == "one"
    end.set()
    await taking_late

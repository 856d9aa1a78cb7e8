"""What becomes of photos and selfies whose analysis fails at its last attempt, too."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from libs.common.database import outbox
from libs.common.errors import Unavailable
from libs.common.messaging.messages import PhotoUploaded
from libs.common.workers.process import WorkerNotStarted, WorkersStopped
from services.recognition import metrics
from services.recognition.engine.face_engine import EMBEDDED
from services.recognition.indexes.embedded.index import EmbeddedIndex
from services.recognition.indexes.face_index import FaceKey, IndexedPhoto, PhotoKey, SelfieKey
from services.recognition.matching.match import Matcher
from services.recognition.photos import repository
from services.recognition.photos.analyze_photo import REPEATED_REASON, Analyzer, analyze_photo
from services.recognition.photos.claims import AnalysisClaims, AnalysisSlots
from services.recognition.selfies.index_selfie import REPEATED_REASON as SELFIE_REASON
from services.recognition.selfies.index_selfie import SelfieIndexer, index_selfie
from tests.support.conflicts import OneDeadlock
from tests.support.polling import eventually
from tests.support.stores import fetches_from
from tests.support.world import World


class FailingIndex(EmbeddedIndex):
    """Raises the error for every photo and selfie; without one it finds nobody."""

    def __init__(self, error: Exception | None = None) -> None:
        self.name = EMBEDDED.name
        self.photos_at_once = 1
        self._error = error

    async def index_photo(self, photo: PhotoKey, path: Path) -> IndexedPhoto:
        if self._error is not None:
            raise self._error
        return IndexedPhoto(width=1, height=1, placeholder="", faces=())

    async def index_selfie(self, selfie: SelfieKey, path: Path) -> FaceKey:
        assert self._error is not None
        raise self._error


def analyzer(world: World, index: FailingIndex) -> Analyzer:
    claims = AnalysisClaims(
        world.database, claimant="one", lease_seconds=60, replica_lease_seconds=10
    )
    return Analyzer(world.database, fetches_from(world.store), index, AnalysisSlots(1), claims)


async def analyse(world: World, event: int, photo: int, index: FailingIndex) -> None:
    await analyze_photo(
        PhotoUploaded(event_id=event, photo_id=photo),
        delivery_attempt=4,
        last_attempt=True,
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
        OSError(28, "No space left on device"),
        Unavailable("somewhere else"),
    ],
)
async def test_what_is_no_fault_of_a_photo_does_not_fail_it(world: World, error: Exception) -> None:
    event = await world.event()
    photo = await world.photo(event, "people 1", publish=False)
    with pytest.raises(type(error)):
        await analyse(world, event, photo, FailingIndex(error))
    assert (await world.photo_row(photo)).processing_status == "queued"


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
    selfie = await world.insert_selfie(guest)
    key = str(await world.scalar("SELECT object_key FROM selfies"))
    if is_there:
        await world.store.put(key, b"a selfie", content_type="image/jpeg")
    indexer = SelfieIndexer(
        Matcher(world.database, FailingIndex(OSError("/var/lib/secret"))),
        world.store,
        "one",
        60,
        10,
    )
    indexing = index_selfie(SelfieKey(event, guest, selfie), last_attempt=True, using=indexer)
    if is_there:
        with pytest.raises(OSError, match="secret"):
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

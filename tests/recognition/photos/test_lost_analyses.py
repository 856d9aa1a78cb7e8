"""Photos whose analysis ended with its process, and those whose analysis only seems lost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from libs.common import tasks
from libs.common.database.database import Database
from libs.common.database.sqlstates import is_away
from libs.common.database.tables import photos
from libs.common.errors import Unavailable
from libs.common.messaging.messages import PhotoUploaded
from services.recognition.engine.face_engine import EMBEDDED
from services.recognition.engine.workers import engine_pool
from services.recognition.indexes.embedded.index import EmbeddedIndex, indexed_photo
from services.recognition.indexes.face_index import IndexedPhoto, PhotoKey
from services.recognition.partitions.repository import announce
from services.recognition.photos.analyze_photo import (
    LOST_REASON,
    MAX_LOST_ANALYSES,
    Analyzer,
    analyze_photo,
)
from services.recognition.photos.claims import AnalysisClaims, AnalysisSlots
from services.recognition.photos.thumbnails import Thumbnails
from services.recognition.settings import RecognitionSettings
from tests.support.polling import eventually
from tests.support.postgres_gate import PostgresGate
from tests.support.scripted_engine import ScriptedEngine
from tests.support.stores import fetches_from
from tests.support.world import World

LOST = "SELECT lost_analyses FROM photos"


class HeldIndex(EmbeddedIndex):
    """Analyses as the script says, each when it is let go; counts those that began."""

    def __init__(self) -> None:
        self.name = EMBEDDED.name
        self.photos_at_once = 2
        self.began = 0
        self.may_end = asyncio.Event()

    async def index_photo(self, photo: PhotoKey, path: Path) -> IndexedPhoto:
        del photo
        script = await asyncio.to_thread(path.read_text)
        self.began += 1
        await self.may_end.wait()
        return indexed_photo(ScriptedEngine().perform(script))


@dataclass(frozen=True)
class Replica:
    """The use case as one process has it."""

    index: HeldIndex
    using: Analyzer

    @classmethod
    def called(
        cls,
        name: str,
        world: World,
        *,
        database: Database | None = None,
        lease_seconds: float = 60,
    ) -> "Replica":
        index = HeldIndex()
        claims = AnalysisClaims(
            database or world.database,
            claimant=name,
            lease_seconds=lease_seconds,
            replica_lease_seconds=1,
        )
        slots = AnalysisSlots(index.photos_at_once)
        return cls(
            index,
            Analyzer(
                database or world.database,
                fetches_from(world.store),
                index,
                slots,
                claims,
                Thumbnails(world.store),
            ),
        )

    async def begins(self, times: int) -> None:
        """Wait until its engine has been given so many photos."""
        await eventually(lambda: self.index.began == times)

    def analyze(self, event_id: int, photo_id: int, *, attempt: int = 1) -> asyncio.Task[None]:
        return asyncio.create_task(
            analyze_photo(
                PhotoUploaded(event_id=event_id, photo_id=photo_id),
                delivery_attempt=attempt,
                last_attempt=attempt >= 4,
                is_repeat=attempt > 1,
                using=self.using,
            )
        )


async def lose(world: World, photo_id: int, times: int) -> None:
    await world.execute(photos.update().where(photos.c.id == photo_id).values(lost_analyses=times))


async def live(world: World, replicas: Sequence[str]) -> None:
    async with world.database.unit_of_work() as unit:
        for replica in replicas:
            await announce(unit.connection, replica, lease_seconds=60)


@asynccontextmanager
async def alive(world: World, *replicas: str) -> AsyncIterator[None]:
    """Have the replicas be seen to live for the block's length."""

    async def keep_announcing() -> None:
        while True:
            await live(world, replicas)
            await asyncio.sleep(0.1)

    await live(world, replicas)
    announcing = asyncio.create_task(keep_announcing())
    try:
        yield
    finally:
        await tasks.end(announcing)


async def status(world: World, photo_id: int) -> str:
    return str((await world.photo_row(photo_id)).processing_status)


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


async def test_a_redelivery_during_a_healthy_analysis_changes_nothing_and_takes_no_slot(
    world: World,
) -> None:
    event = await world.event()
    photo = await world.photo(event, "people 1", publish=False)
    others = [await world.photo(event, "people 2", publish=False) for _ in range(2)]
    mine, other = Replica.called("mine", world), Replica.called("other", world)
    async with alive(world, "mine", "other"):
        analysis = mine.analyze(event, photo)
        await eventually(lambda: mine.index.began == 1)
        row = await world.photo_row(photo)
        again = [mine.analyze(event, photo), other.analyze(event, photo)]
        beside = [other.analyze(event, other_photo) for other_photo in others]
        # Both of the other replica's slots are free, although it has that message, too.
        await eventually(lambda: other.index.began == 2)
        for repeated in again:
            with pytest.raises(Unavailable, match="is being analysed"):
                await repeated
        assert await world.photo_row(photo) == row
        mine.index.may_end.set()
        other.index.may_end.set()
        await asyncio.gather(analysis, *beside)
        await other.analyze(event, photo, attempt=2)
    assert (mine.index.began, other.index.began) == (1, 2)
    assert await status(world, photo) == "analyzed"
    assert await world.scalar("SELECT sum(lost_analyses) FROM photos") == 0
    assert await world.scalar("SELECT count(*) FROM photos WHERE claimed_by IS NOT NULL") == 0


async def test_a_dead_replicas_photo_is_taken_over_and_its_analysis_is_counted_as_lost(
    world: World,
) -> None:
    event = await world.event()
    photo = await world.photo(event, "people 1", publish=False)
    dead, other = Replica.called("dead", world), Replica.called("other", world)
    async with alive(world, "other"):
        analysis = dead.analyze(event, photo)
        await eventually(lambda: dead.index.began == 1)
        other.index.may_end.set()
        await other.analyze(event, photo)
        assert await status(world, photo) == "analyzed"
        assert await world.scalar(LOST) == 1
        dead.index.may_end.set()  # It was only frozen, and comes too late.
        await analysis
    assert other.index.began == 1
    assert await world.scalar("SELECT count(*) FROM faces") == 1
    assert await world.scalar("SELECT count(*) FROM photos WHERE claimed_by IS NOT NULL") == 0


async def test_a_claim_is_taken_over_after_its_lease_and_that_is_not_held_against_the_photo(
    world: World,
) -> None:
    event = await world.event()
    photo = await world.photo(event, "people 1", publish=False)
    slow, other = Replica.called("slow", world), Replica.called("other", world)
    async with alive(world, "slow", "other"):
        analysis = slow.analyze(event, photo)
        await eventually(lambda: slow.index.began == 1)
        await world.execute(
            text("UPDATE photos SET claimed_at = now() - make_interval(secs => 61)")
        )
        other.index.may_end.set()
        await other.analyze(event, photo)
        slow.index.may_end.set()
        await analysis
    assert await status(world, photo) == "analyzed"
    assert await world.scalar(LOST) == 0


async def test_a_claim_is_renewed_for_as_long_as_the_photo_is_in_hand(world: World) -> None:
    event = await world.event()
    photo = await world.photo(event, "people 1", publish=False)
    replica = Replica.called("slow", world, lease_seconds=0.5)
    analysis = replica.analyze(event, photo)
    await replica.begins(1)
    claimed_at = (await world.photo_row(photo)).claimed_at

    async def is_renewed() -> bool:
        row = await world.photo_row(photo)
        return bool(row.claimed_by == "slow" and row.claimed_at > claimed_at)

    await eventually(is_renewed)
    replica.index.may_end.set()
    await analysis
    assert (await world.photo_row(photo)).claimed_by is None


async def test_a_photo_that_ends_three_replicas_fails_with_its_reason(world: World) -> None:
    event = await world.event()
    photo = await world.photo(event, "people 1", publish=False)
    deaths = []
    for number in range(MAX_LOST_ANALYSES):
        replica = Replica.called(f"dead {number}", world)
        deaths.append(replica.analyze(event, photo))
        await replica.begins(1)
    last = Replica.called("last", world)
    with pytest.raises(Exception, match="ended its process 3 times"):
        await last.analyze(event, photo)
    assert last.index.began == 0
    row = await world.photo_row(photo)
    assert (row.processing_status, row.processing_error) == ("failed", LOST_REASON)
    await tasks.end(*deaths)


async def test_a_successor_of_the_same_name_counts_what_its_predecessor_had_in_hand(
    world: World,
) -> None:
    event = await world.event()
    photo = await world.photo(event, "people 1", publish=False)
    killed = Replica.called("standalone", world)
    analysis = killed.analyze(event, photo)
    await eventually(lambda: killed.index.began == 1)
    successor = Replica.called("standalone", world)
    await successor.using.claims.count_as_lost()
    assert await world.scalar(LOST) == 1
    successor.index.may_end.set()
    await successor.analyze(event, photo)
    assert await status(world, photo) == "analyzed"
    killed.index.may_end.set()
    await analysis


async def test_a_database_that_is_away_at_the_end_of_every_analysis_does_not_fail_the_photo(
    world: World, settings: RecognitionSettings
) -> None:
    event = await world.event()
    photo = await world.photo(event, "people 1", publish=False)
    gate = PostgresGate(settings.database_url)
    async with (
        alive(world, "mine"),
        gate.running(),
        Database.open(settings.model_copy(update={"database_url": gate.url})) as database,
    ):
        mine = Replica.called("mine", world, database=database)
        for attempt in range(1, MAX_LOST_ANALYSES + 3):
            analysis = mine.analyze(event, photo, attempt=attempt)
            await mine.begins(attempt)
            gate.close()
            mine.index.may_end.set()
            with pytest.raises((DBAPIError, OSError)) as caught:
                await analysis
            assert is_away(caught.value)
            gate.open()
            mine.index.may_end.clear()
        assert await status(world, photo) == "queued"
        mine.index.may_end.set()
        await mine.analyze(event, photo, attempt=MAX_LOST_ANALYSES + 3)
    assert await status(world, photo) == "analyzed"
    assert await world.scalar(LOST) == 0


async def test_a_claim_that_could_not_be_given_back_is_given_back_once_the_database_is_there(
    world: World, settings: RecognitionSettings
) -> None:
    event = await world.event()
    photo, next_photo = [await world.photo(event, "people 1", publish=False) for _ in range(2)]
    gate = PostgresGate(settings.database_url)
    async with (
        alive(world, "mine"),
        gate.running(),
        Database.open(settings.model_copy(update={"database_url": gate.url})) as database,
    ):
        mine = Replica.called("mine", world, database=database)
        analysis = mine.analyze(event, photo)
        await eventually(lambda: mine.index.began == 1)
        gate.close()
        mine.index.may_end.set()
        await asyncio.gather(analysis, return_exceptions=True)
        gate.open()
        assert (await world.photo_row(photo)).claimed_by == "mine"
        await mine.analyze(event, next_photo)
    assert (await world.photo_row(photo)).claimed_by is None


async def test_a_shutdown_in_the_middle_of_an_analysis_is_not_held_against_the_photo(
    world: World,
) -> None:
    event = await world.event()
    photo = await world.photo(event, "people 1", publish=False)
    async with engine_pool(1, partial(ScriptedEngine, seconds=60)) as pool:
        index = EmbeddedIndex(world.database, pool, EMBEDDED, photos_at_once=1)
        claims = AnalysisClaims(
            world.database, claimant="mine", lease_seconds=60, replica_lease_seconds=60
        )
        analyzer = Analyzer(
            world.database,
            fetches_from(world.store),
            index,
            AnalysisSlots(1),
            claims,
            Thumbnails(world.store),
        )
        analysis = asyncio.create_task(
            analyze_photo(
                PhotoUploaded(event_id=event, photo_id=photo),
                delivery_attempt=1,
                last_attempt=False,
                is_repeat=False,
                using=analyzer,
            )
        )

        async def has_begun() -> bool:
            return bool(await world.scalar("SELECT claimed_by FROM photos") == "mine")

        await eventually(has_begun)
        analysis.cancel()
        with pytest.raises(asyncio.CancelledError):
            await analysis
    assert await world.scalar("SELECT claimed_by FROM photos") is None
    assert await world.scalar(LOST) == 0

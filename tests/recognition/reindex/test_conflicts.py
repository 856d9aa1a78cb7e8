import pytest
from sqlalchemy import text

from libs.common.database import outbox
from services.recognition.partitions.repository import announce, withdraw
from services.recognition.reindex.feeder import Fed, Feeder, ReindexLimits
from tests.support.conflicts import OneDeadlock
from tests.support.odd_engines import EMBEDDED, OPENCV
from tests.support.world import World

LIMITS = ReindexLimits(photos_at_once=3, lease_seconds=60, patience_seconds=60)


async def test_photos_that_the_old_engine_left_are_sent_though_a_conflict_ended_the_first_try(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.insert_photo(await world.event(), processing_status="analyzed", engine=OPENCV)
    await world.execute(text("UPDATE photos SET enqueued_at = now() - interval '1 hour'"))
    async with world.database.unit_of_work() as unit:
        await announce(unit.connection, "new", lease_seconds=60, engine=OPENCV)
        await announce(unit.connection, "old", lease_seconds=60, engine=EMBEDDED)
    feeder = Feeder(world.database, engine=OPENCV, limits=LIMITS)
    assert await feeder.feed() is Fed.NOT_YET
    async with world.database.unit_of_work() as unit:
        await withdraw(unit.connection, "old")
    monkeypatch.setattr(outbox, "append", OneDeadlock(outbox.append))
    await feeder.feed()
    assert await world.scalar(
        "SELECT count(*) FROM photos WHERE enqueued_at > now() - interval '1 minute'"
    )

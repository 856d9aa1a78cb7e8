"""Recognition begins nothing in an event that is over, and takes it up when it is prolonged."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import func, update

from libs.common.database.tables import events, photos
from libs.common.messaging.messages import (
    PhotoAnalyzed,
    PhotoUploaded,
    RematchRequested,
    SelfieUploaded,
)
from services.recognition.engine.face_engine import EMBEDDED
from tests.recognition.matching.test_matching import settled
from tests.support.polling import eventually
from tests.support.world import World

PAST = datetime.now(UTC) - timedelta(seconds=1)


async def nothing_waits(world: World) -> bool:
    """All messages are on the bus."""
    return not await world.scalar("SELECT count(*) FROM outbox")


async def handled(world: World, open_event: int, person: int) -> None:
    """What was sent before for the same event is done when something after it is."""
    await eventually(lambda: nothing_waits(world))
    guest = await world.guest(open_event, person=person)
    photo = await world.photo(open_event, f"people {person}")
    await eventually(lambda: _is_matched(world, open_event, guest, photo))


async def _is_matched(world: World, event: int, guest: int, photo: int) -> bool:
    return (guest, photo) in await world.matches(event)


@pytest.mark.parametrize("is_erased", [False, True])
async def test_no_photo_or_selfie_is_looked_at_once_the_event_is_over(
    world: World, recognition: FastAPI, is_erased: bool
) -> None:
    del recognition
    over, open_event = await world.event(expires_at=PAST), await world.event()
    if is_erased:
        later: Any = func.now() + timedelta(days=1)
        await world.execute(
            update(events)
            .where(events.c.id == over)
            .values(erasure_began_at=func.now(), expires_at=later)
        )
    guest = await world.guest(over, person=1)
    queued = await world.photo(over, "people 1")
    analyzed = await world.photo(over, "people 1", publish=False)
    await world.execute(
        update(photos)
        .where(photos.c.id == analyzed)
        .values(processing_status="analyzed", engine=EMBEDDED.name)
    )
    async with world.database.unit_of_work() as unit:
        unit.publish(PhotoAnalyzed(event_id=over, photo_id=analyzed))
        unit.publish(RematchRequested(event_id=over))
    await handled(world, open_event, person=2)
    statuses = "SELECT array_agg(processing_status ORDER BY id) FROM photos WHERE event_id = :id"
    assert await world.scalar(statuses, id=over) == ["queued", "analyzed"]
    indexes = "SELECT count(*) FROM selfie_indexes WHERE user_id = :id"
    assert await world.scalar(indexes, id=guest) == 0
    assert await world.scalar("SELECT count(*) FROM faces WHERE photo_id = :id", id=queued) == 0


async def test_a_prolonged_event_is_taken_up_when_its_work_is_sent_again(
    world: World, recognition: FastAPI
) -> None:
    del recognition
    event = await world.event(expires_at=PAST)
    guest = await world.guest(event, person=1)
    photo = await world.photo(event, "people 1")
    await eventually(lambda: nothing_waits(world))
    later: Any = func.now() + timedelta(days=1)
    await world.execute(update(events).values(expires_at=later))
    async with world.database.unit_of_work() as unit:
        # As the reconciler sends them again, after its time.
        unit.publish(PhotoUploaded(event_id=event, photo_id=photo))
        selfie = await world.scalar("SELECT id FROM selfies")
        unit.publish(SelfieUploaded(event_id=event, user_id=guest, selfie_id=selfie))
    await eventually(lambda: settled(world))
    assert await world.matches(event) == {(guest, photo)}

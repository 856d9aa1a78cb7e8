"""What a look of the feeder costs, and how often it looks."""

import pytest
from sqlalchemy import text

from libs.common.database.tables import photos
from services.recognition.partitions.repository import announce, withdraw
from services.recognition.reindex import feeder as feeding
from services.recognition.reindex.feeder import (
    FEED_EVERY_SECONDS,
    LOOK_EVERY_SECONDS,
    Fed,
    Feeder,
    ReindexLimits,
    next_pause_seconds,
)
from tests.support.odd_engines import EMBEDDED, OPENCV
from tests.support.polling import eventually
from tests.support.rows import Rows
from tests.support.statements import statements

LIMITS = ReindexLimits(photos_at_once=2, lease_seconds=60, patience_seconds=60)


async def live(rows: Rows, replica: str, engine: str) -> None:
    async with rows.database.unit_of_work() as unit:
        await announce(unit.connection, replica, lease_seconds=60, engine=engine)


async def test_a_look_asks_as_little_of_twenty_events_as_of_one(rows: Rows) -> None:
    await live(rows, "one", OPENCV)
    counts = []
    for events in (1, 20):
        for _ in range(events):
            event = await rows.event()
            guest = await rows.person(joined=event)
            selfie = await rows.insert_selfie(guest)
            await rows.index(selfie, event, guest, status="done", engine=EMBEDDED)
            await rows.insert_photo(event, processing_status="done", engine=EMBEDDED)
        feeder = Feeder(rows.database, engine=OPENCV, limits=LIMITS)
        with statements(rows.database) as seen:
            await feeder.feed()
        counts.append(len(seen))
        assert await rows.scalar("SELECT count(*) FROM selfie_indexes") == 0
        await rows.execute(photos.update().values(engine=OPENCV, reindexing_since=None))
    assert counts[0] == counts[1], counts


async def test_a_selfie_of_two_events_is_sent_for_both(rows: Rows) -> None:
    await live(rows, "one", OPENCV)
    events = [await rows.event() for _ in range(2)]
    guest = await rows.person(joined=events[0])
    await rows.join(guest, events[1])
    selfie = await rows.insert_selfie(guest)
    for event in events:
        await rows.index(selfie, event, guest, status="done", engine=EMBEDDED)
    await Feeder(rows.database, engine=OPENCV, limits=LIMITS).feed()
    sent = "SELECT count(*) FROM outbox WHERE routing_key LIKE 'selfie.uploaded.%'"
    assert await rows.scalar(sent) == 2
    assert await rows.scalar("SELECT count(*) FROM selfie_indexes") == 0


async def test_photos_go_by_their_events_the_newest_first(rows: Rows) -> None:
    await live(rows, "one", OPENCV)
    older, newer = await rows.event(), await rows.event()
    photos = {
        await rows.insert_photo(event, processing_status="done", engine=EMBEDDED): event
        for event in (newer, older, newer, newer, older)
    }
    await Feeder(rows.database, engine=OPENCV, limits=LIMITS).feed()
    async with rows.database.read() as connection:
        sent = await connection.scalars(
            text("SELECT id FROM photos WHERE reindexing_since IS NOT NULL")
        )
    of_newer = [photo for photo, event in photos.items() if event == newer]
    assert set(sent) == {*of_newer, max(photo for photo in photos if photo not in of_newer)}


async def have_aged(rows: Rows) -> bool:
    young = "SELECT count(*) FROM photos WHERE enqueued_at >= now() - interval '1 second'"
    return not await rows.scalar(young)


async def test_photos_that_nobody_matched_are_sent_in_chunks_and_each_of_them_once(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "UNMATCHED_BATCH", 2)
    event = await rows.event()
    for _ in range(5):
        await rows.insert_photo(event, processing_status="analyzed", engine=OPENCV)
    await rows.execute(text("UPDATE photos SET enqueued_at = now() - interval '1 hour'"))
    await live(rows, "new", OPENCV)
    await live(rows, "old", EMBEDDED)
    feeder = Feeder(rows.database, engine=OPENCV, limits=LIMITS)
    assert await feeder.feed() is Fed.NOT_YET
    async with rows.database.unit_of_work() as unit:
        await withdraw(unit.connection, "old")
    sent = []
    for _ in range(4):
        await feeder.feed()
        sent.append(await rows.scalar("SELECT count(*) FROM outbox"))
        if len(sent) == 2:
            # None of them is matched, and they are no longer those of a moment ago.
            await eventually(lambda: have_aged(rows))
    assert sent == [2, 4, 5, 5]


async def test_looks_become_rare_while_all_that_is_stale_is_on_its_way(rows: Rows) -> None:
    await live(rows, "one", OPENCV)
    await rows.insert_photo(await rows.event(), processing_status="done", engine=EMBEDDED)
    feeder = Feeder(rows.database, engine=OPENCV, limits=LIMITS)
    pauses = [LOOK_EVERY_SECONDS]
    for _ in range(8):
        pauses.append(next_pause_seconds(pauses[-1], await feeder.feed()))
    assert pauses[1] == FEED_EVERY_SECONDS
    assert pauses[2] == 2 * FEED_EVERY_SECONDS
    assert pauses[-1] == LOOK_EVERY_SECONDS


async def test_while_the_queues_are_full_looks_stay_frequent(rows: Rows) -> None:
    await live(rows, "one", OPENCV)
    event = await rows.event()
    for _ in range(20):
        await rows.insert_photo(event, processing_status="done", engine=EMBEDDED)
    feeder = Feeder(rows.database, engine=OPENCV, limits=LIMITS)
    for _ in range(3):
        assert await feeder.feed() is Fed.MORE

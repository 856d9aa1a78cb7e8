import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import insert

from libs.common import tasks
from libs.common.database import outbox
from libs.common.database.database import Database
from libs.common.database.tables import dead_letters
from libs.common.messaging.bus.protocol import Death, Delivery, OutgoingMessage
from libs.common.messaging.dead_letters import repository
from libs.common.messaging.dead_letters import settle as settling
from libs.common.messaging.dead_letters.settle import Settlement, settle, settle_all
from libs.common.messaging.dead_letters.view import watch_dead_letters
from libs.common.messaging.messages import Message, PhotoAnalyzed, PhotoUploaded, SelfieUploaded
from libs.common.telemetry.metrics import DEAD_LETTERS_SETTLED
from tests.support.conflicts import OneDeadlock
from tests.support.polling import eventually
from tests.support.rows import Rows

LANE, PARTITION = "findme.analyze.00", "findme.match.00"


@pytest.fixture
def rows(database: Database) -> Rows:
    return Rows(database)


async def letter(rows: Rows, message: Message, *, queue: str = LANE) -> int:
    sent = message.outgoing()
    values = {
        "message_id": sent.message_id,
        "queue": queue,
        "routing_key": sent.routing_key,
        "body": sent.body,
        "reason": "a test",
        "attempts": 4,
    }
    return await rows.insert(dead_letters, values)


async def many_letters(rows: Rows, count: int, *, queue: str = LANE) -> None:
    await rows.execute(
        insert(dead_letters),
        [
            {
                "message_id": f"{queue} {number}",
                "queue": queue,
                "routing_key": "photo.uploaded.00",
                "body": str(number).encode(),
                "reason": "a test",
                "attempts": 4,
            }
            for number in range(count)
        ],
    )


async def sent(database: Database) -> list[OutgoingMessage]:
    """The messages in the outbox, in their order."""
    async with database.unit_of_work() as unit:
        return [row.message for row in await outbox.take_batch(unit.connection, 100_000)]


async def waiting(database: Database) -> dict[str, int]:
    async with database.read() as connection:
        return await repository.count_by_queue(connection)


async def add(database: Database, message: Delivery, reason: str = "a test") -> bool:
    async with database.unit_of_work() as unit:
        return await repository.add(unit.connection, message, Death(LANE, reason, 4))


def delivery(message_id: str, *, body: bytes = b"{}", key: str = "photo.uploaded.00") -> Delivery:
    return Delivery("findme.dlq", key, body, message_id, 1, redelivered=False)


async def test_a_replayed_message_is_the_old_one_under_a_new_id(
    rows: Rows, database: Database
) -> None:
    message = PhotoUploaded(event_id=5, photo_id=1)
    letter_id = await letter(rows, message)
    async with database.read() as connection:
        before = await repository.find(connection, letter_id)
    assert before is not None
    assert await settle([letter_id], Settlement.REPLAYED, database=database) == [letter_id]
    (again,) = await sent(database)
    assert (again.routing_key, again.body) == (message.routing_key, message.outgoing().body)
    assert again.mandatory
    assert again.message_id != before.message_id
    async with database.read() as connection:
        assert await repository.find(connection, letter_id) is None


async def test_of_replays_at_the_same_time_one_publishes(rows: Rows, database: Database) -> None:
    ids = [await letter(rows, PhotoUploaded(event_id=5, photo_id=n)) for n in range(20)]
    counter = DEAD_LETTERS_SETTLED.labels(LANE, "replayed")
    before = counter._value.get()

    async def replay(order: Sequence[int]) -> list[int]:
        return await settle(order, Settlement.REPLAYED, database=database)

    replayed = await asyncio.gather(*(replay(order) for order in (ids, ids[::-1]) * 4))
    assert sorted(letter_id for some in replayed for letter_id in some) == ids
    assert len(await sent(database)) == len(ids)
    assert counter._value.get() - before == len(ids)


async def test_a_letter_is_replayed_or_dropped_never_both(rows: Rows, database: Database) -> None:
    for number in range(10):
        chosen = [await letter(rows, PhotoUploaded(event_id=5, photo_id=number))]
        outcomes = await asyncio.gather(
            settle(chosen, Settlement.REPLAYED, database=database),
            settle(chosen, Settlement.DROPPED, database=database),
        )
        assert sorted(outcomes) == [[], chosen]
        assert len(await sent(database)) == len(outcomes[0])
        await rows.scalar("DELETE FROM outbox RETURNING 1")


async def test_letters_are_settled_once_though_a_conflict_ended_the_first_try(
    rows: Rows, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "BATCH", 2)
    monkeypatch.setattr(repository, "take", OneDeadlock(repository.take))
    first = await letter(rows, PhotoUploaded(event_id=5, photo_id=1))
    counter = DEAD_LETTERS_SETTLED.labels(LANE, "replayed")
    before = counter._value.get()
    assert await settle([first], Settlement.REPLAYED, database=database) == [first]
    await many_letters(rows, 5)
    monkeypatch.setattr(repository, "take_oldest", OneDeadlock(repository.take_oldest, at_call=2))
    assert await settle_all(LANE, Settlement.REPLAYED, database=database) == 5
    assert len(await sent(database)) == 6
    assert counter._value.get() - before == 6


async def test_all_letters_of_a_queue_are_replayed_oldest_first_over_several_batches(
    rows: Rows, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "BATCH", 10)
    await many_letters(rows, 25)
    await many_letters(rows, 3, queue=PARTITION)
    assert await settle_all(LANE, Settlement.REPLAYED, database=database) == 25
    assert [int(message.body) for message in await sent(database)] == list(range(25))
    assert await waiting(database) == {PARTITION: 3}
    assert await settle_all(None, Settlement.DROPPED, database=database) == 3
    assert await waiting(database) == {}
    assert len(await sent(database)) == 25


async def test_letters_that_die_during_a_replay_of_all_are_left(
    rows: Rows, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "BATCH", 1)
    await many_letters(rows, 3)
    take_oldest = repository.take_oldest
    died = 0

    async def and_one_dies(*arguments: object, **named: object) -> object:
        nonlocal died
        died += 1
        await add(database, delivery(f"died meanwhile {died}"))
        return await take_oldest(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(repository, "take_oldest", and_one_dies)
    assert await settle_all(LANE, Settlement.REPLAYED, database=database) == 3
    assert await waiting(database) == {LANE: died}


@pytest.mark.parametrize(
    ("kind", "status", "after"),
    [
        (PhotoUploaded, "failed", "queued"),
        (PhotoAnalyzed, "failed", "analyzed"),
        (PhotoUploaded, "analyzed", "analyzed"),
        (PhotoUploaded, "done", "done"),
        (PhotoAnalyzed, "done", "done"),
    ],
)
async def test_a_replay_reopens_a_failed_photo_and_no_other(
    rows: Rows,
    database: Database,
    kind: type[PhotoUploaded | PhotoAnalyzed],
    status: str,
    after: str,
) -> None:
    event = await rows.event()
    photo = await rows.insert_photo(event, processing_status=status, processing_error="gave up")
    other = await rows.insert_photo(event, processing_status="failed", processing_error="truncated")
    letter_id = await letter(rows, kind(event_id=event, photo_id=photo))
    await settle([letter_id], Settlement.REPLAYED, database=database)
    state = "SELECT processing_status || ' ' || coalesce(processing_error, '') FROM photos"
    assert await rows.scalar(f"{state} WHERE id = :id", id=photo) == (
        f"{after} " if status == "failed" else f"{after} gave up"
    )
    assert await rows.scalar(f"{state} WHERE id = :id", id=other) == "failed truncated"


async def test_a_dropped_letter_leaves_its_photo_failed(rows: Rows, database: Database) -> None:
    event = await rows.event()
    photo = await rows.insert_photo(event, processing_status="failed")
    letter_id = await letter(rows, PhotoUploaded(event_id=event, photo_id=photo))
    await settle([letter_id], Settlement.DROPPED, database=database)
    assert await rows.scalar("SELECT processing_status FROM photos") == "failed"
    assert await sent(database) == []


@pytest.mark.parametrize(
    ("before", "embedding", "after"),
    [
        ("failed", None, None),
        ("failed", b"paid for", "indexed"),
        ("done", b"paid for", "done"),
        ("claimed", None, "claimed"),
    ],
)
async def test_a_replay_reopens_a_failed_selfie_and_keeps_an_embedding(
    rows: Rows, database: Database, before: str, embedding: bytes | None, after: str | None
) -> None:
    event, guest = await rows.event(), await rows.person()
    selfie, other = await rows.insert_selfie(guest), await rows.insert_selfie(guest)
    await rows.index(selfie, event, guest, status=before, embedding=embedding, error="gave up")
    await rows.index(other, event, guest, status="failed")
    message = SelfieUploaded(event_id=event, user_id=guest.id, selfie_id=selfie)
    letter_id = await letter(rows, message, queue=PARTITION)
    await settle([letter_id], Settlement.REPLAYED, database=database)
    status = "SELECT status FROM selfie_indexes WHERE selfie_id = :id"
    assert await rows.scalar(status, id=selfie) == after
    assert await rows.scalar(status, id=other) == "failed"


async def test_a_letter_that_nobody_can_decode_is_replayed_as_it_is(
    rows: Rows, database: Database
) -> None:
    await many_letters(rows, 1)
    assert await settle_all(LANE, Settlement.REPLAYED, database=database) == 1
    assert [message.body for message in await sent(database)] == [b"0"]


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("photo.uploaded", b'{"event_id": 1, "photo_id": 9223372036854775808}'),
        ("photo.analyzed", b'{"event_id": 1, "photo_id": 1e40}'),
        ("selfie.uploaded", b'{"event_id": 1, "user_id": 1, "selfie_id": 99999999999999999999}'),
    ],
)
async def test_a_letter_about_what_cannot_be_holds_up_no_other_s_replay(
    rows: Rows, database: Database, key: str, body: bytes
) -> None:
    await add(database, delivery("impossible", body=body, key=f"{key}.00"))
    photo = PhotoUploaded(event_id=1, photo_id=7)
    await letter(rows, photo)

    assert await settle_all(None, Settlement.REPLAYED, database=database) == 2

    assert {message.body for message in await sent(database)} == {body, photo.outgoing().body}


async def test_letters_that_are_not_there_are_told_by_their_absence(
    rows: Rows, database: Database
) -> None:
    letter_id = await letter(rows, PhotoUploaded(event_id=5, photo_id=1))
    chosen = [letter_id + 1, letter_id]
    assert await settle(chosen, Settlement.DROPPED, database=database) == [letter_id]
    assert await settle(chosen, Settlement.DROPPED, database=database) == []
    assert await settle([], Settlement.DROPPED, database=database) == []


async def test_a_message_is_one_letter_per_queue_however_often_it_comes(
    database: Database,
) -> None:
    assert await add(database, delivery("1"))
    assert not await add(database, delivery("1"))
    async with database.unit_of_work() as unit:
        assert await repository.add(unit.connection, delivery("1"), Death(PARTITION, "", 1))
    assert await waiting(database) == {LANE: 1, PARTITION: 1}


async def test_messages_without_an_id_are_told_apart_by_their_content(database: Database) -> None:
    assert await add(database, delivery("", body=b"1"))
    assert await add(database, delivery("", body=b"2"))
    assert await add(database, delivery("", body=b"1", key="photo.uploaded.01"))
    assert not await add(database, delivery("", body=b"1"))


@pytest.mark.parametrize("text", ["NUL \x00", "half a pair \ud800"])
async def test_no_text_keeps_a_letter_from_being_kept(database: Database, text: str) -> None:
    assert await add(database, delivery(text, body=b"\x00\xff", key=text), reason=text)


@pytest.fixture
async def watched(database: Database) -> AsyncIterator[Database]:
    watcher = asyncio.create_task(watch_dead_letters(database, every_seconds=0.02))
    yield database
    await tasks.end(watcher)


async def test_the_gauge_follows_the_letters_back_to_none(rows: Rows, watched: Database) -> None:
    def shown() -> tuple[float | None, ...]:
        return tuple(
            REGISTRY.get_sample_value("findme_dead_letters", {"queue": queue})
            for queue in (LANE, PARTITION)
        )

    await many_letters(rows, 3)
    await many_letters(rows, 1, queue=PARTITION)
    await eventually(lambda: shown() == (3, 1))
    await settle_all(LANE, Settlement.DROPPED, database=watched)
    await eventually(lambda: shown() == (0, 1))

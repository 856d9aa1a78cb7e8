"""What the reconciler publishes again, and what it leaves to the message on its way."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import orjson
import pytest
from sqlalchemy import event as engine_events
from sqlalchemy import insert, text
from sqlalchemy.pool import QueuePool

from libs.common.background import BackgroundTasks
from libs.common.database.database import Database
from libs.common.database.tables import memberships
from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.bus.topology import (
    PHOTOS_AHEAD,
    Queue,
    bucket_of,
    bulk_bucket_of,
    findme_topology,
)
from libs.common.messaging.messages import Message, PhotoUploaded, SelfieUploaded
from libs.common.resources import Resources
from services.recognition.recovery import reconcile, repository
from services.recognition.recovery.reconcile import BATCH, Reconciled, Reconciler
from services.recognition.settings import RecognitionSettings
from tests.recognition.conftest import running_recognition
from tests.support.polling import eventually
from tests.support.rows import Rows
from tests.support.world import World

TOPOLOGY = findme_topology()


def ago(**span: float) -> datetime:
    return datetime.now(UTC) - timedelta(**span)


@dataclass(frozen=True)
class Place:
    """A database whose outbox nobody publishes, and a bus that nobody consumes."""

    rows: Rows
    bus: InProcessBus
    reconciler: Reconciler

    async def reconcile(self) -> Reconciled:
        return await self.reconciler.reconcile()

    async def photo(self, event_id: int, sent: datetime, **values: Any) -> int:
        return await self.rows.insert_photo(event_id, uploaded_at=sent, enqueued_at=sent, **values)

    async def selfie(self, user_id: int, sent: datetime) -> int:
        return await self.rows.insert_selfie(user_id, created_at=sent, enqueued_at=sent)

    async def guest(self, *event_ids: int, joined: datetime) -> int:
        guest = await self.rows.person()
        for event_id in event_ids:
            await self.rows.execute(
                insert(memberships).values(user_id=guest.id, event_id=event_id, joined_at=joined)
            )
        return guest.id

    async def queue(self, message: Message) -> None:
        """Have the message wait in its queue."""
        await self.bus.publish(message.outgoing())

    async def in_outbox(self) -> list[tuple[str, dict[str, Any]]]:
        """The topics and bodies of all messages that are published again."""
        async with self.rows.database.read() as connection:
            rows = await connection.execute(
                text("SELECT routing_key, body FROM outbox ORDER BY id")
            )
            return [(row.routing_key.rpartition(".")[0], orjson.loads(row.body)) for row in rows]

    async def sent_again(self) -> list[tuple[str, int]]:
        """The topics and photos, or selfies, of those messages."""
        return [
            (topic, body.get("photo_id") or body["selfie_id"])
            for topic, body in await self.in_outbox()
        ]


@pytest.fixture
async def place(settings: RecognitionSettings) -> AsyncIterator[Place]:
    async with Database.open(settings) as database:
        bus = InProcessBus(TOPOLOGY)
        reconciler = Reconciler(
            database,
            bus,
            TOPOLOGY,
            leads=lambda: True,
            older_than_seconds=600,
            every_seconds=0.05,
        )
        yield Place(Rows(database), bus, reconciler)
        await bus.close()


async def test_all_unfinished_work_is_published_where_the_bus_forgot_it(
    world: World, settings: RecognitionSettings, resources: Resources
) -> None:
    event, user = await world.event(), await world.user()
    await world.join(user, event)
    photo = await world.photo(event, "people 1", publish=False)
    await world.selfie(user, "people 1", publish=False)
    async with running_recognition(settings, resources, keeps_messages=False):

        async def matched() -> bool:
            return await world.matches(event) == {(user, photo)}

        await eventually(matched)


async def test_old_work_of_an_empty_queue_is_lost_and_young_work_is_not(place: Place) -> None:
    event = await place.rows.event()
    guest = await place.guest(event, joined=ago(hours=2))
    lost = await place.photo(event, ago(minutes=11))
    to_match = await place.photo(event, ago(minutes=11), processing_status="analyzed")
    selfie = await place.selfie(guest, ago(minutes=11))
    await place.photo(event, ago(minutes=1))
    await place.selfie(guest, ago(minutes=1))
    assert await place.reconcile() == Reconciled(photos=2, selfies=1)
    assert sorted(await place.sent_again()) == [
        ("photo.analyzed", to_match),
        ("photo.uploaded", lost),
        ("selfie.uploaded", selfie),
    ]
    await place.rows.execute(text("DELETE FROM outbox"))
    assert await place.reconcile() == Reconciled(0, 0)


async def test_a_healthy_backlog_is_not_published_again_however_old_it_is(place: Place) -> None:
    event = await place.rows.event()
    guest = await place.guest(event, joined=ago(hours=2))
    selfie = await place.selfie(guest, ago(hours=1))
    for minutes in (60, 50, 40):
        photo = await place.photo(event, ago(minutes=minutes))
        await place.queue(PhotoUploaded(event_id=event, photo_id=photo))
    await place.queue(SelfieUploaded(event_id=event, user_id=guest, selfie_id=selfie))
    # The line gets on: what was sent before has come through.
    await place.photo(event, ago(minutes=70), processing_status="done", analyzed_at=ago(minutes=1))
    assert await place.reconcile() == Reconciled(0, 0)


async def test_what_a_later_photo_of_its_lane_has_overtaken_is_published_again(
    place: Place,
) -> None:
    event = await place.rows.event()
    lost = await place.photo(event, ago(minutes=60))
    await place.photo(event, ago(minutes=50), processing_status="done", analyzed_at=ago(minutes=1))
    waiting = await place.photo(event, ago(minutes=40))
    await place.queue(PhotoUploaded(event_id=event, photo_id=waiting))
    assert await place.reconcile() == Reconciled(photos=1)
    assert await place.sent_again() == [("photo.uploaded", lost)]


async def test_photos_in_bulk_are_not_lost_because_those_of_other_events_pass_them(
    place: Place,
) -> None:
    large, small = await place.rows.event(), await place.rows.event()
    await place.photo(large, ago(minutes=70), processing_status="done", analyzed_at=ago(minutes=1))
    for number in range(PHOTOS_AHEAD + 1):
        photo = await place.photo(large, ago(minutes=60 - number))
        await place.queue(PhotoUploaded(event_id=large, photo_id=photo, in_bulk=True))
    await place.photo(small, ago(minutes=20), processing_status="done", analyzed_at=ago(minutes=1))
    assert await place.reconcile() == Reconciled(0, 0)


async def test_a_lost_photo_of_a_small_event_is_found_while_others_wait_in_bulk(
    place: Place,
) -> None:
    small, large = await place.rows.event(), await place.rows.event()
    while bulk_bucket_of(large) != bulk_bucket_of(small):
        large = await place.rows.event()
    lost = await place.photo(small, ago(minutes=20))
    for _ in range(PHOTOS_AHEAD + 1):
        photo = await place.photo(large, ago(minutes=20))
        await place.queue(PhotoUploaded(event_id=large, photo_id=photo, in_bulk=True))
    assert await place.reconcile() == Reconciled(photos=1)
    assert await place.sent_again() == [("photo.uploaded", lost)]


async def test_of_many_lost_photos_of_an_event_the_first_go_ahead_and_the_others_in_bulk(
    place: Place,
) -> None:
    large, small = await place.rows.event(), await place.rows.event()
    for event, count in ((large, PHOTOS_AHEAD + 5), (small, 3)):
        for _ in range(count):
            await place.photo(event, ago(hours=1))
    await place.reconcile()
    in_bulk = Counter((body["event_id"], body["in_bulk"]) for _, body in await place.in_outbox())
    assert in_bulk == {(large, False): PHOTOS_AHEAD, (large, True): 5, (small, False): 3}


async def test_a_photo_without_faces_has_not_come_through_the_match_partition(
    place: Place,
) -> None:
    event = await place.rows.event()
    waiting = await place.photo(
        event,
        ago(minutes=60),
        processing_status="analyzed",
        analyzed_at=ago(minutes=50),
    )
    await place.rows.execute(text("UPDATE photos SET enqueued_at = analyzed_at"))
    # Of one transaction: its analysis finished it.
    at_once = ago(minutes=30)
    await place.photo(
        event,
        ago(minutes=40),
        processing_status="done",
        analyzed_at=at_once,
        finished_at=at_once,
    )
    guest = await place.guest(event, joined=ago(hours=2))
    selfie = await place.selfie(guest, ago(minutes=1))
    await place.queue(SelfieUploaded(event_id=event, user_id=guest, selfie_id=selfie))
    assert await place.reconcile() == Reconciled(0, 0)
    await place.photo(
        event,
        ago(minutes=40),
        processing_status="done",
        analyzed_at=ago(minutes=30),
        finished_at=ago(minutes=20),
    )
    await place.reconcile()
    assert await place.sent_again() == [("photo.analyzed", waiting)]


async def test_what_waits_in_the_outbox_is_on_its_way(place: Place) -> None:
    event = await place.rows.event()
    photo = await place.photo(event, ago(minutes=60))
    async with place.reconciler.database.unit_of_work() as unit:
        unit.publish(PhotoUploaded(event_id=event, photo_id=photo))
    assert await place.reconcile() == Reconciled(0, 0)


async def test_a_photo_that_somebody_has_in_hand_or_that_waits_for_its_next_attempt_is_left(
    place: Place,
) -> None:
    event = await place.rows.event()
    await place.photo(event, ago(minutes=60), claimed_by="a replica", claimed_at=ago(minutes=5))
    # The longest pause between two attempts is ten minutes.
    await place.photo(event, ago(minutes=60), claimed_at=ago(minutes=15))
    lost = await place.photo(event, ago(minutes=60), claimed_at=ago(minutes=25))
    await place.reconcile()
    assert await place.sent_again() == [("photo.uploaded", lost)]


async def test_nothing_of_an_expired_event_is_looked_for(place: Place) -> None:
    expired = await place.rows.event(expires_at=ago(minutes=1))
    await place.photo(expired, ago(hours=1))
    await place.photo(expired, ago(hours=1), processing_status="analyzed")
    await place.selfie(await place.guest(expired, joined=ago(hours=2)), ago(hours=1))
    assert await place.reconcile() == Reconciled(0, 0)
    assert await place.reconciler.republish_all() == Reconciled(0, 0)


async def test_a_selfie_is_published_for_all_its_unfinished_events_together(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "BATCH", 1)
    first, second, expired = [
        await place.rows.event(),
        await place.rows.event(),
        await place.rows.event(expires_at=ago(minutes=1)),
    ]
    wanted = set()
    for _ in range(3):
        guest = await place.guest(first, second, expired, joined=ago(hours=2))
        selfie = await place.selfie(guest, ago(hours=1))
        wanted |= {(selfie, first), (selfie, second)}
    assert await place.reconcile() == Reconciled(selfies=6)
    sent = [(body["selfie_id"], body["event_id"]) for _, body in await place.in_outbox()]
    assert sorted(sent) == sorted(wanted)


async def test_more_than_one_batch_of_lost_work_is_found_once_each(place: Place) -> None:
    event = await place.rows.event()
    async with place.reconciler.database.unit_of_work() as unit:
        await unit.connection.exec_driver_sql(
            "INSERT INTO photos (event_id, filename, original_filename, content_type, sha256,"
            " crc32, size_bytes, width, height, enqueued_at)"
            f" SELECT {event}, 'p' || n, 'p', 'image/jpeg', '', 0, 1, 1, 1,"
            " now() - interval '1 hour'"
            f" FROM generate_series(1, {BATCH + 5}) n"
        )
    assert await place.reconcile() == Reconciled(photos=BATCH + 5)


async def test_a_row_that_cannot_be_published_does_not_keep_the_others_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await place.rows.event()
    bad = await place.photo(event, ago(hours=2))
    good = await place.photo(event, ago(hours=1))
    publish: Callable[..., None] = reconcile._publish_photo

    def publish_unless_bad(photo: Any, *others: Any, **options: Any) -> None:
        if photo.id == bad:
            raise OverflowError("a bad row")
        publish(photo, *others, **options)

    monkeypatch.setattr(reconcile, "_publish_photo", publish_unless_bad)
    await place.reconcile()
    assert await place.sent_again() == [("photo.uploaded", good)]


async def test_one_replica_reconciles_and_another_follows_it(place: Place) -> None:
    event = await place.rows.event()
    photo = await place.photo(event, ago(hours=1))
    leader, asked = "nobody", Counter[str]()

    def leads(name: str) -> bool:
        asked[name] += 1
        return name == leader

    async def is_sent() -> bool:
        return await place.sent_again() == [("photo.uploaded", photo)]

    async with BackgroundTasks() as background:
        for name in ("first", "second"):
            reconciler = replace(place.reconciler, leads=partial(leads, name))
            background.start(name, reconciler.run)
        await eventually(lambda: asked["first"] > 2 and asked["second"] > 2)
        assert await place.in_outbox() == []
        leader = "second"
        await eventually(is_sent)


async def test_what_came_through_is_told_without_reading_all_photos(place: Place) -> None:
    event = await place.rows.event()
    await place.rows.execute(
        text(
            "INSERT INTO photos (event_id, filename, original_filename, content_type, sha256,"
            " crc32, size_bytes, width, height, processing_status, analyzed_at, finished_at)"
            " SELECT :event, 'photo ' || n, '', '', '', 0, 0, 0, 0, 'done',"
            " now() + make_interval(secs => n), now() + make_interval(secs => n + 1)"
            " FROM generate_series(1, 2000) n"
        ).bindparams(event=event)
    )
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    async with place.rows.database.read() as connection:
        await connection.execute(text("ANALYZE photos"))
        engine_events.listen(connection.sync_connection, "before_cursor_execute", note)
        await repository.came_through(connection)
        plan = "\n".join(await connection.scalars(text(f"EXPLAIN {statements[0]}")))
    assert "using photos_matched_idx" in plan, plan
    assert "Seq Scan on photos" not in plan, plan
    assert "photos_engine_idx" not in plan, plan


async def test_the_broker_is_asked_once_and_no_connection_is_held_meanwhile(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes: set[int] = set()
    while len(lanes) < 2:
        event = await place.rows.event()
        await place.photo(event, ago(hours=1))
        lanes.add(bucket_of(event) % len(TOPOLOGY.analyze))
    pool = place.rows.database.engine.pool
    assert isinstance(pool, QueuePool)
    waiting, held = place.bus.waiting, []

    async def watched(queues: Sequence[Queue]) -> Mapping[str, int]:
        held.append(pool.checkedout())
        return await waiting(queues)

    monkeypatch.setattr(place.bus, "waiting", watched)
    await place.reconcile()
    assert held == [0]

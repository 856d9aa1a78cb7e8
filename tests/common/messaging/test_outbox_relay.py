import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import ClassVar
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from libs.common import tasks
from libs.common.background import BackgroundTasks
from libs.common.database import outbox
from libs.common.database.database import Database
from libs.common.messaging import relay as relay_module
from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.bus.open import open_bus
from libs.common.messaging.bus.protocol import Bus, BusUnavailable, Delivery, OutgoingMessage
from libs.common.messaging.bus.rabbitmq.declare import declare
from libs.common.messaging.bus.topology import findme_topology
from libs.common.messaging.messages import Message, PhotoUploaded
from libs.common.messaging.relay import BATCH, MAX_BACKOFF_SECONDS, Relay, next_backoff
from libs.common.settings import CommonSettings
from tests.support.handlers import Recorder
from tests.support.logged import written_logs
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.postgres import Postgres
from tests.support.rabbitmq import RabbitMQ
from tests.support.silent_postgres import SilentPostgres

TOPOLOGY = findme_topology()
EVENT = 1
LANE = next(
    queue
    for queue in TOPOLOGY.analyze
    if PhotoUploaded(event_id=EVENT, photo_id=1).routing_key in queue.bindings
)


class NobodysMessage(Message):
    topic: ClassVar[str] = "nobody.home"


class Received:
    """A handler that keeps the ids of the photos it was given."""

    def __init__(self) -> None:
        self.photos: list[int] = []

    async def __call__(self, delivery: Delivery) -> None:
        self.photos.append(PhotoUploaded.decode(delivery.body).photo_id)


@asynccontextmanager
async def relaying(database: Database, bus: Bus) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(Relay(database, bus).run())
    try:
        yield task
    finally:
        await tasks.end(task)


@pytest.fixture
async def bus() -> AsyncIterator[Bus]:
    async with open_bus(None, TOPOLOGY) as bus:
        yield bus


@pytest.fixture(params=["in_process", "rabbitmq"])
async def any_bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    url = request.getfixturevalue("amqp_url") if request.param == "rabbitmq" else None
    if url is not None:
        await declare(url, TOPOLOGY)
    async with open_bus(url, TOPOLOGY) as bus:
        yield bus


async def publish(database: Database, *photos: int) -> None:
    async with database.unit_of_work() as unit:
        for photo in photos:
            unit.publish(PhotoUploaded(event_id=EVENT, photo_id=photo))


async def publish_and_fail(database: Database) -> None:
    async with database.unit_of_work() as unit:
        unit.publish(PhotoUploaded(event_id=EVENT, photo_id=1))
        raise RuntimeError("changed my mind")


async def depth(database: Database) -> int:
    async with database.read() as connection:
        return (await outbox.backlog(connection))[0]


async def test_messages_of_a_transaction_arrive_in_order_and_leave_the_outbox(
    database: Database, bus: Bus
) -> None:
    received = Received()
    await bus.subscribe(LANE, received)
    async with relaying(database, bus):
        await publish(database, *range(300))
        await eventually(lambda: len(received.photos) == 300)

        async def empty() -> bool:
            return await depth(database) == 0

        await eventually(empty)
    assert received.photos == list(range(300))


async def test_nothing_is_sent_of_a_transaction_that_is_rolled_back(
    database: Database, bus: Bus
) -> None:
    received = Received()
    await bus.subscribe(LANE, received)
    async with relaying(database, bus):
        with pytest.raises(RuntimeError, match="changed my mind"):
            await publish_and_fail(database)
        await publish(database, 2)
        await eventually(lambda: received.photos)
    assert received.photos == [2]


async def test_a_message_that_nobody_is_bound_for_waits_and_holds_up_no_other(
    database: Database, bus: Bus
) -> None:
    received = Received()
    await bus.subscribe(LANE, received)
    async with database.unit_of_work() as unit:
        unit.publish(NobodysMessage(event_id=EVENT))
        unit.publish(PhotoUploaded(event_id=EVENT, photo_id=1))
    async with relaying(database, bus):
        await eventually(lambda: received.photos == [1])

        async def set_aside() -> bool:
            async with database.read() as connection:
                attempts = await connection.exec_driver_sql("SELECT attempts FROM outbox")
                return [row.attempts for row in attempts] == [1]

        await eventually(set_aside)


async def test_a_message_that_was_refused_for_weeks_stops_nothing(
    database: Database, bus: Bus
) -> None:
    received = Received()
    await bus.subscribe(LANE, received)
    async with database.unit_of_work() as unit:
        unit.publish(NobodysMessage(event_id=EVENT))
    async with database.unit_of_work() as unit:
        await unit.connection.exec_driver_sql("UPDATE outbox SET attempts = 1100")
    async with relaying(database, bus) as relay:
        await publish(database, 1)
        await eventually(lambda: received.photos == [1])

        async def is_set_aside_for_minutes() -> bool:
            async with database.read() as connection:
                left = await connection.exec_driver_sql(
                    "SELECT attempts, next_attempt_at - now() > interval '4 minutes' FROM outbox"
                )
                return [tuple(row) for row in left] == [(1101, True)]

        await eventually(is_set_aside_for_minutes)
        assert not relay.done()


#: What no service writes, but a hand, or the replay of somebody else's dead letter, may.
POISON = {
    "a routing key that AMQP cannot carry": ("k" * 300, "NULL"),
    "headers that are no table": ("nobody.home.00", """'["a", "list"]'"""),
    "headers that no broker takes": ("nobody.home.00", f"""'{{"n": 1{"0" * 30}}}'"""),
    "a header with a name that is too long": ("nobody.home.00", f"""'{{"{"n" * 300}": "x"}}'"""),
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON.keys())
async def test_a_row_that_makes_no_message_is_set_aside_and_holds_up_no_other(
    database: Database, any_bus: Bus, poison: tuple[str, str]
) -> None:
    received = Received()
    await any_bus.subscribe(LANE, received)
    routing_key, headers = poison
    async with database.unit_of_work() as unit:
        await unit.connection.exec_driver_sql(
            "INSERT INTO outbox (message_id, routing_key, body, mandatory, headers)"
            f" VALUES (gen_random_uuid(), '{routing_key}', '', true, {headers})"
        )
    await publish(database, 1)
    async with relaying(database, any_bus) as relay:
        await eventually(lambda: received.photos == [1])

        async def is_set_aside() -> bool:
            async with database.read() as connection:
                left = await connection.exec_driver_sql("SELECT attempts, routing_key FROM outbox")
                return [tuple(row) for row in left] == [(1, routing_key)]

        await eventually(is_set_aside)
        await publish(database, 2)
        await eventually(lambda: received.photos == [1, 2])
        assert not relay.done()


@asynccontextmanager
async def small_bus(request: pytest.FixtureRequest, kind: str) -> AsyncIterator[Bus]:
    """A bus that has room for ten photos in each lane."""
    if kind == "in_process":
        in_process = InProcessBus(TOPOLOGY, queue_capacity=10, publish_seconds=0.05)
        yield in_process
        await in_process.close()
        return
    small = replace(LANE, max_length=10)
    topology = replace(TOPOLOGY, analyze=(small,), match=TOPOLOGY.match[:1])
    url = request.getfixturevalue("amqp_url")
    await declare(url, topology)
    async with open_bus(url, topology) as bus:
        yield bus


@pytest.mark.parametrize("kind", ["in_process", "rabbitmq"])
async def test_a_full_queue_holds_up_no_messages_for_others_and_gets_its_own_in_the_end(
    database: Database, request: pytest.FixtureRequest, kind: str
) -> None:
    photos, others = Received(), Recorder()
    async with small_bus(request, kind) as bus, relaying(database, bus) as relay:
        await bus.subscribe(TOPOLOGY.match[0], others)
        # More than a batch: without them nothing younger would ever be looked at.
        await publish(database, *range(BATCH + 100))
        async with database.unit_of_work() as unit:
            unit.messages.append(OutgoingMessage("selfie.uploaded.00", b"late", str(uuid4())))
        await eventually(lambda: others.bodies == [b"late"])
        assert await depth(database) > 0
        await bus.subscribe(LANE, photos)
        await eventually(lambda: set(photos.photos) == set(range(BATCH + 100)))
        assert not relay.done()


class ClosingBus(InProcessBus):
    """Cancels its first publish from within, as a client does whose channel is being closed."""

    async def publish(self, message: OutgoingMessage) -> None:
        if not hasattr(self, "cancelled"):
            self.cancelled = True
            raise asyncio.CancelledError
        await super().publish(message)


async def test_a_publish_that_the_bus_cancels_is_made_again(database: Database) -> None:
    bus, received = ClosingBus(TOPOLOGY), Received()
    await bus.subscribe(LANE, received)
    await publish(database, 1, 2)
    async with relaying(database, bus) as relay:
        await eventually(lambda: sorted(received.photos) == [1, 2])
        assert not relay.done()
    await bus.close()


async def test_one_relay_leads_and_another_takes_over_when_it_ends(database: Database) -> None:
    buses = [InProcessBus(TOPOLOGY), InProcessBus(TOPOLOGY)]
    received = [Received(), Received()]
    for bus, handler in zip(buses, received, strict=True):
        await bus.subscribe(LANE, handler)
    async with relaying(database, buses[1]):
        async with relaying(database, buses[0]):
            await publish(database, *range(50))
            await eventually(lambda: sum(len(each.photos) for each in received) == 50)
            leader = 0 if received[0].photos else 1
            assert received[1 - leader].photos == []
        # The first has ended; whoever leads now, nothing is lost.
        await publish(database, 50)
        await eventually(lambda: 50 in received[0].photos + received[1].photos)
    assert received[1].photos
    for bus in buses:
        await bus.close()


async def test_a_leader_whom_nobody_answers_stops_and_the_next_one_takes_over(
    database: Database,
    settings: CommonSettings,
    bus: Bus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay_module, "LEADER_IDLE_SECONDS", 4.0)
    received = Received()
    await bus.subscribe(LANE, received)
    async with SilentPostgres(settings.database_url).running() as postgres:
        far = settings.model_copy(update={"database_url": postgres.url, "db_command_timeout": 1})
        async with Database.open(far) as behind, relaying(behind, InProcessBus(TOPOLOGY)):
            await eventually(lambda: leading() == 1)
            async with relaying(database, bus):
                postgres.go_dark()
                # The server has not been told of anything: the lock is still the first one's.
                await publish(database, 1)
                # Twice, where this one, too, was slow enough to lose the lead for a moment.
                await eventually(lambda: 1 in received.photos)
                await eventually(lambda: leading() == 1)


def leading() -> float | None:
    return REGISTRY.get_sample_value("findme_outbox_leading")


def test_interruptions_that_follow_each_other_are_waited_out_longer_and_others_are_not() -> None:
    backoff, waited = 0.0, []
    for lasted in (0.0, 0.1, 1.0, 0.1, 0.1, 0.1, 0.1, 3600.0, 0.1):
        backoff = next_backoff(backoff, lasted_seconds=lasted)
        waited.append(backoff)
    assert waited == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, MAX_BACKOFF_SECONDS, 0.1, 0.2]


async def test_while_the_broker_is_down_messages_wait_and_then_arrive(
    database: Database, amqp_url: str, rabbitmq_faults: RabbitMQ
) -> None:
    await declare(amqp_url, TOPOLOGY)
    received = Received()
    async with open_bus(amqp_url, TOPOLOGY) as bus:
        await bus.subscribe(LANE, received)
        async with relaying(database, bus) as relay:
            await publish(database, 1)
            await eventually(lambda: received.photos == [1])
            rabbitmq_faults.stop()
            await publish(database, 2, 3)
            await asyncio.to_thread(rabbitmq_faults.start)
            await eventually(lambda: set(received.photos) == {1, 2, 3})
            assert not relay.done()


async def test_a_service_that_starts_without_the_broker_works_once_it_is_there(
    database: Database, amqp_url: str, rabbitmq_faults: RabbitMQ
) -> None:
    await declare(amqp_url, TOPOLOGY)
    rabbitmq_faults.stop()
    received = Received()
    async with open_bus(amqp_url, TOPOLOGY) as bus, relaying(database, bus):
        await bus.subscribe(LANE, received)
        await publish(database, 1)
        with pytest.raises(BusUnavailable):
            await bus.check()
        await asyncio.to_thread(rabbitmq_faults.start)
        await eventually(lambda: received.photos == [1])


async def test_a_restart_of_the_database_is_survived(
    database: Database, bus: Bus, postgres_faults: Postgres
) -> None:
    received = Received()
    await bus.subscribe(LANE, received)
    async with relaying(database, bus) as relay:
        await publish(database, 1)
        await eventually(lambda: received.photos == [1])
        await asyncio.to_thread(postgres_faults.stop)
        await asyncio.to_thread(postgres_faults.start)
        await publish(database, 2)
        # The first once more, where the server went before its row was removed.
        await eventually(lambda: received.photos[-1] == 2)
        assert received.photos in ([1, 2], [1, 1, 2])
        assert not relay.done()


@pytest.mark.parametrize("turns", range(5))
async def test_a_relay_that_is_stopped_as_it_is_woken_ends_at_the_first_word(
    database: Database, bus: Bus, turns: int
) -> None:
    relay = Relay(database, bus)
    async with BackgroundTasks() as background:
        task = background.start("relay", relay.run)
        await eventually(lambda: REGISTRY.get_sample_value("findme_outbox_leading") == 1)
        await eventually(lambda: not relay._wake.is_set() and relay._wake._waiters)
        relay._wake.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        with written_logs("json") as logged:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await task.stop()
    assert "task_goes_on" not in logged()

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from urllib.parse import quote

import aio_pika
import httpx
import pytest
from aio_pika.abc import AbstractChannel, HeadersType
from aio_pika.connection import Connection
from structlog.testing import capture_logs

from libs.common.errors import PermanentError, TransientError
from libs.common.messaging.bus.open import open_bus
from libs.common.messaging.bus.protocol import Bus, BusUnavailable, Death, OutgoingMessage
from libs.common.messaging.bus.rabbitmq import IncompatibleTopology, TopologyMissing, declare
from libs.common.messaging.bus.rabbitmq.layout import layout
from libs.common.messaging.bus.topology import DEAD_LETTER_EXCHANGE, DELIVERY_LIMIT, Queue, Topology
from tests.support.dead_letters import crash_until_given_up, dead_letters
from tests.support.handlers import Gate, Recorder
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.rabbitmq import RabbitMQ

#: RabbitMQ 3.10 loses a quorum queue when it is killed within half a second of making it.
SETTLE_SECONDS = 2.0


def message(routing_key: str, body: bytes = b"{}", *, mandatory: bool = True) -> OutgoingMessage:
    return OutgoingMessage(routing_key, body, body.hex(), mandatory)


async def nothing() -> None:
    """A listener that does not mind gaps."""


class Management:
    """What an operator does in the broker's management UI."""

    def __init__(self, broker: RabbitMQ, amqp_url: str) -> None:
        self._url = f"{broker.management_url}/api"
        self._vhost = amqp_url.rsplit("/", 1)[1]

    async def delete_queue(self, name: str) -> None:
        await self._delete(f"queues/{self._vhost}/{name}")

    async def delete_exchange(self, name: str) -> None:
        await self._delete(f"exchanges/{self._vhost}/{name}")

    async def close_connections(self) -> int:
        """Close the vhost's connections; return how many were known (they show up late)."""
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            answer = await client.get(f"{self._url}/vhosts/{self._vhost}/connections")
            names = [connection["name"] for connection in answer.raise_for_status().json()]
        for name in names:
            await self._delete(f"connections/{quote(name, safe='')}")
        return len(names)

    async def _delete(self, path: str) -> None:
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            (await client.delete(f"{self._url}/{path}")).raise_for_status()


@pytest.fixture
def management(rabbitmq_server: RabbitMQ, amqp_url: str) -> Management:
    return Management(rabbitmq_server, amqp_url)


@pytest.fixture
async def declared(amqp_url: str, topology: Topology) -> str:
    await declare(amqp_url, topology)
    return amqp_url


@pytest.fixture
async def bus(declared: str, topology: Topology) -> AsyncIterator[Bus]:
    async with open_bus(declared, topology) as bus:
        yield bus


async def test_all_queues_are_counted_over_one_channel(
    bus: Bus, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    open_channel = Connection.channel

    def counted(connection: Connection) -> AbstractChannel:
        opened.append(connection)
        return open_channel(connection)

    monkeypatch.setattr(Connection, "channel", counted)
    assert len(await bus.waiting(topology.queues)) == len(topology.queues)
    assert len(opened) == 1


async def test_a_killed_broker_keeps_confirmed_messages_and_everybody_resumes(
    bus: Bus, topology: Topology, rabbitmq_faults: RabbitMQ
) -> None:
    gaps, notified = 0, Recorder()

    async def on_gap() -> None:
        nonlocal gaps
        gaps += 1

    async def is_healthy() -> bool:
        with suppress(BusUnavailable):
            await bus.check()
            return True
        return False

    await asyncio.sleep(SETTLE_SECONDS)
    await bus.listen(["photo.matched.*"], notified, on_gap=on_gap)
    consumer = Recorder()
    await bus.subscribe(topology.match[0], consumer)
    sent = [f"photo {number}".encode() for number in range(100)]
    await asyncio.gather(*(bus.publish(message("photo.uploaded.00", body)) for body in sent))

    rabbitmq_faults.kill()
    with pytest.raises(BusUnavailable):
        await bus.publish(message("photo.uploaded.00"))
    with pytest.raises(BusUnavailable):
        await bus.check()
    late_consumer = Recorder()
    await bus.subscribe(topology.analyze[0], late_consumer)
    await asyncio.to_thread(rabbitmq_faults.start)

    await eventually(lambda: set(late_consumer.bodies) >= set(sent))
    await eventually(lambda: gaps == 1)
    await eventually(is_healthy)
    await bus.publish(message("photo.analyzed.00", b"analyzed"))
    await bus.publish(message("photo.matched.00", b"matched", mandatory=False))
    await eventually(lambda: consumer.bodies == [b"analyzed"])
    await eventually(lambda: notified.bodies == [b"matched"])


async def test_a_lost_connection_brings_the_message_in_hand_again(
    bus: Bus, topology: Topology, management: Management
) -> None:
    handler = Gate()
    await bus.subscribe(topology.match[0], handler)
    await bus.publish(message("photo.analyzed.00", b"in hand"))
    await eventually(lambda: handler.got)
    await eventually(management.close_connections)
    # The handler that runs is not disturbed, and not joined by a second one.
    handler.open.set()
    await eventually(lambda: len(handler.finished) == 2)
    assert handler.bodies == [b"in hand"] * 2
    assert [delivery.redelivered for delivery in handler.got] == [False, True]


async def test_a_message_that_crashes_every_consumer_ends_as_a_dead_letter(
    bus: Bus, topology: Topology
) -> None:
    queue = topology.analyze[0]
    await bus.publish(message("photo.uploaded.00", b"poison"))
    crashes = await crash_until_given_up(bus, queue)
    (dead,) = await dead_letters(bus, 1)
    assert (dead.body, dead.routing_key) == (b"poison", "photo.uploaded.00")
    assert dead.death == Death(
        queue.name,
        "its consumer went away 7 times with this message in hand",
        attempts=crashes,
        crashed=True,
    )


async def test_a_message_that_crashes_consumers_after_a_retry_keeps_its_routing_key(
    bus: Bus, topology: Topology
) -> None:
    queue = topology.analyze[0]
    failing = Recorder(errors=[TransientError("not yet")])
    subscription = await bus.subscribe(queue, failing)
    await bus.publish(message("photo.uploaded.08", b"poison"))
    await eventually(lambda: failing.got)
    await subscription.stop()
    await crash_until_given_up(bus, queue)
    (dead,) = await dead_letters(bus, 1)
    assert dead.routing_key == "photo.uploaded.08"
    assert dead.death is not None
    assert (dead.death.queue, dead.death.crashed) == (queue.name, True)
    assert dead.death.attempts == 1 + DELIVERY_LIMIT + 1


@pytest.mark.parametrize("attempt", [10**12, 0, -5])
async def test_a_strangers_dead_letter_is_taken_whatever_attempt_it_claims(
    bus: Bus, declared: str, attempt: int
) -> None:
    async with await aio_pika.connect(declared) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(DEAD_LETTER_EXCHANGE)
        headers: HeadersType = {"x-attempt": attempt, "x-dead-letter-queue": "theirs"}
        await exchange.publish(aio_pika.Message(b"?", headers=headers), "whatever")
    (dead,) = await dead_letters(bus, 1)
    assert dead.death == Death("theirs", "unknown", attempts=1)


async def test_a_dead_letter_that_cannot_be_kept_is_not_dropped(
    bus: Bus, topology: Topology, declared: str, management: Management
) -> None:
    await management.delete_exchange(DEAD_LETTER_EXCHANGE)
    handler = Recorder(errors=[PermanentError("not an image")])
    subscription = await bus.subscribe(topology.analyze[0], handler)
    await bus.publish(message("photo.uploaded.00", b"hopeless"))
    await eventually(lambda: handler.got)
    await subscription.stop()
    successor = Recorder()
    await bus.subscribe(topology.analyze[0], successor)
    await eventually(lambda: successor.bodies == [b"hopeless"])


async def test_a_full_queue_refuses_instead_of_dropping(amqp_url: str, topology: Topology) -> None:
    small = replace(topology, analyze=(replace(topology.analyze[0], max_length=5),))
    await declare(amqp_url, small)
    async with open_bus(amqp_url, small) as bus:
        confirmed: list[bytes] = []

        async def publish_until_refused() -> None:
            # The broker lets a few more in than the limit says.
            while len(confirmed) < 1000:
                body = str(len(confirmed)).encode()
                await bus.publish(message("photo.uploaded.00", body))
                confirmed.append(body)

        with pytest.raises(BusUnavailable, match="full"):
            await publish_until_refused()
        handler = Recorder()
        await bus.subscribe(small.analyze[0], handler)
        await eventually(lambda: handler.bodies == confirmed)


async def test_a_queue_that_was_deleted_and_made_again_is_consumed_again(
    bus: Bus, topology: Topology, declared: str, management: Management
) -> None:
    handler = Recorder()
    await bus.subscribe(topology.analyze[0], handler)
    with capture_logs() as logs:
        await management.delete_queue(topology.analyze[0].name)
        await eventually(lambda: any(entry["event"] == "queue_is_gone" for entry in logs))
    await declare(declared, topology)
    await bus.publish(message("photo.uploaded.00", b"new"))
    await eventually(lambda: handler.bodies == [b"new"])


async def test_declaring_twice_changes_nothing(bus: Bus, topology: Topology, declared: str) -> None:
    await bus.publish(message("photo.uploaded.00", b"kept"))
    await declare(declared, topology)
    handler = Recorder()
    await bus.subscribe(topology.analyze[0], handler)
    await eventually(lambda: handler.bodies == [b"kept"])


async def test_a_queue_with_other_arguments_is_one_clear_error(
    declared: str, topology: Topology
) -> None:
    changed = replace(topology, analyze=(replace(topology.analyze[0], max_length=7),))
    with pytest.raises(IncompatibleTopology) as caught:
        await declare(declared, changed)
    assert caught.value.name == "findme.analyze.00"
    assert caught.value.argument == "x-max-length"
    assert "findme migrate" in str(caught.value)


async def test_a_broker_without_the_topology_is_named_at_the_start(
    amqp_url: str, topology: Topology
) -> None:
    with pytest.raises(TopologyMissing, match=r"exchange findme\.events.*findme migrate"):
        async with open_bus(amqp_url, topology):
            pass


async def test_a_missing_queue_is_named_at_the_start(
    declared: str, topology: Topology, management: Management
) -> None:
    await management.delete_queue("findme.match.01")
    with pytest.raises(TopologyMissing, match=r"queue findme\.match\.01.*findme migrate"):
        async with open_bus(declared, topology):
            pass


async def test_bindings_of_a_newer_release_are_missed_at_the_start(
    declared: str, topology: Topology
) -> None:
    first = topology.match[0]
    newer = replace(
        topology,
        match=(replace(first, bindings=(*first.bindings, "event.closed.00")), topology.match[1]),
    )
    with pytest.raises(TopologyMissing, match=layout(newer).marker):
        async with open_bus(declared, newer):
            pass
    await declare(declared, newer)
    async with open_bus(declared, newer) as bus:
        await bus.publish(message("event.closed.00"))


async def test_subscribing_to_a_queue_that_is_not_there_is_a_clear_error(bus: Bus) -> None:
    with pytest.raises(TopologyMissing, match=r"findme\.nowhere"):
        await bus.subscribe(Queue("findme.nowhere", ()), Recorder())


async def test_declaring_in_a_broker_that_is_away_is_a_clear_error(topology: Topology) -> None:
    with pytest.raises(BusUnavailable, match="cannot be reached"):
        await declare("amqp://guest:guest@127.0.0.1:1/", topology)

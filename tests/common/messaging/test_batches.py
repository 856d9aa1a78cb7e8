"""Messages of a partition that wait together, on both buses."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import replace

from libs.common.errors import TransientError
from libs.common.messaging.bus.protocol import Batches, Bus, Delivery, OutgoingMessage
from libs.common.messaging.bus.subscriptions import MESSAGES
from libs.common.messaging.bus.topology import DELIVERY_LIMIT, Queue, Topology
from tests.common.messaging.conftest import Deployment
from tests.support.dead_letters import crash
from tests.support.handlers import Gate, Recorder
from tests.support.polling import eventually

TOPIC = "photo.analyzed"


class Together:
    """Records batches; while `open` is not set it holds the one in hand."""

    def __init__(self, alone: Recorder, *, failing: bytes | None = None) -> None:
        self.got: list[list[bytes]] = []
        self.open = asyncio.Event()
        self.open.set()
        self._alone = alone
        self._failing = failing

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        bodies = [delivery.body for delivery in deliveries]
        self.got.append(bodies)
        await self.open.wait()
        if self._failing in bodies:
            raise TransientError("one of them is bad")
        self._alone.got.extend(deliveries)

    @property
    def batches(self) -> Batches:
        return Batches(TOPIC, self)


class Unlucky(Recorder):
    """Fails one message, however often it comes."""

    async def __call__(self, delivery: Delivery) -> None:
        await super().__call__(delivery)
        if delivery.body == b"bad":
            raise TransientError("it is bad")


async def send(bus: Bus, *bodies: bytes, topic: str = TOPIC) -> None:
    for body in bodies:
        await bus.publish(OutgoingMessage(f"{topic}.00", body, str(uuid.uuid4())))


def numbered(count: int) -> list[bytes]:
    return [str(number).encode() for number in range(count)]


async def arrived(bus: Bus, queue: Queue, count: int) -> None:
    async def all_wait() -> bool:
        return (await bus.waiting([queue]))[queue.name] == count

    await eventually(all_wait)


async def test_what_waits_in_a_partition_is_handled_together_in_its_order(
    bus: Bus, topology: Topology
) -> None:
    queue = replace(topology.match[0], prefetch=8)
    handler = Recorder()
    together = Together(handler)
    sent = numbered(30)
    acked = MESSAGES.labels(queue.name, "acked")
    before = acked._value.get()
    await send(bus, *sent)
    await arrived(bus, queue, len(sent))
    await bus.subscribe(queue, handler, batches=together.batches)
    await eventually(lambda: len(handler.got) == len(sent))
    assert handler.bodies == sent
    assert max(map(len, together.got)) <= queue.prefetch
    # Not all: which wait there together depends on how fast a broker sends them.
    assert together.got
    await eventually(lambda: acked._value.get() == before + len(sent))
    await arrived(bus, queue, 0)


async def test_a_message_that_is_alone_is_not_waited_with(bus: Bus, topology: Topology) -> None:
    handler = Recorder()
    together = Together(handler)
    await bus.subscribe(topology.match[0], handler, batches=together.batches)
    for body in numbered(3):
        await send(bus, body)
        await eventually(lambda body=body: body in handler.bodies)  # type: ignore[misc]
    assert together.got == []


async def test_other_messages_of_the_partition_keep_their_place(
    bus: Bus, topology: Topology
) -> None:
    handler = Recorder()
    together = Together(handler)
    sent: list[bytes] = []
    for number in range(4):
        for topic in (TOPIC, TOPIC, TOPIC, "selfie.uploaded"):
            body = f"{number} {topic} {len(sent)}".encode()
            await send(bus, body, topic=topic)
            sent.append(body)
    await arrived(bus, topology.match[0], len(sent))
    await bus.subscribe(topology.match[0], handler, batches=together.batches)
    await eventually(lambda: len(handler.got) == len(sent))
    assert handler.bodies == sent
    assert together.got
    assert all(b"selfie" not in body for batch in together.got for body in batch)


async def test_a_bad_message_fails_no_other_of_its_batch(bus: Bus, topology: Topology) -> None:
    queue = topology.match[0]
    handler = Unlucky()
    together = Together(handler, failing=b"bad")
    sent = [b"first", *numbered(3), b"bad", b"last"]
    dead = MESSAGES.labels(queue.name, "dead_lettered")
    before = dead._value.get()
    await send(bus, *sent)
    await arrived(bus, queue, len(sent))
    await bus.subscribe(queue, handler, batches=together.batches)
    await eventually(lambda: b"last" in handler.bodies)
    attempts = queue.retry.max_attempts
    assert handler.bodies == [*sent[:4], *[b"bad"] * attempts, b"last"]
    # The batch that failed was no attempt at any of them.
    assert [delivery.attempt for delivery in handler.got if delivery.body != b"bad"] == [1] * 5
    await eventually(lambda: dead._value.get() == before + 1)


async def test_a_batch_in_hand_is_finished_before_the_partition_is_given_back(
    deployment: Deployment, topology: Topology
) -> None:
    queue = replace(topology.match[0], prefetch=4)
    one, other = Recorder(), Recorder()
    together = Together(one)
    together.open.clear()
    sent = numbered(20)
    async with deployment.replica() as first, deployment.replica() as second:
        await send(first, *sent)
        await arrived(first, queue, len(sent))
        owner = await first.subscribe(queue, one, batches=together.batches)
        await eventually(lambda: together.got)
        stopping = asyncio.create_task(owner.stop())
        await asyncio.sleep(0)
        together.open.set()
        await stopping
        finished = one.bodies
        assert finished[-1] == together.got[-1][-1]
        await second.subscribe(queue, other, batches=Together(other).batches)
        await eventually(lambda: len(one.got) + len(other.got) == len(sent))
        # What was pushed in advance comes to the next owner, and nothing twice.
        assert finished + other.bodies == sent


async def test_a_batch_whose_process_died_comes_again_one_by_one(
    deployment: Deployment, topology: Topology
) -> None:
    queue = replace(topology.match[0], prefetch=4)
    one, other = Recorder(), Recorder()
    dying, surviving = Together(one), Together(other)
    dying.open.clear()
    sent = numbered(6)
    async with deployment.replica() as first, deployment.replica() as second:
        await send(first, *sent)
        await arrived(first, queue, len(sent))
        owner = await first.subscribe(queue, one, batches=dying.batches)
        await eventually(lambda: dying.got)
        await crash(owner)
        await second.subscribe(queue, other, batches=surviving.batches)
        await eventually(lambda: len(one.got) + len(other.got) == len(sent))
        assert one.bodies + other.bodies == sent
        assert not {*dying.got[0]} & {body for batch in surviving.got for body in batch}


async def test_only_the_message_that_processes_die_with_is_given_up(
    bus: Bus, topology: Topology, deployment: Deployment
) -> None:
    """A broker counts a death against all that was pushed, of which most is innocent."""
    if deployment.amqp_url is None:
        return  # there the messages die with their process
    queue = topology.match[0]
    sent = numbered(10)
    await send(bus, *sent)
    await arrived(bus, queue, len(sent))
    for _ in range(DELIVERY_LIMIT + 1):
        gate = Gate()
        subscription = await bus.subscribe(queue, gate, batches=Together(gate).batches)
        await eventually(lambda gate=gate: gate.got)  # type: ignore[misc]
        assert gate.bodies == [b"0"]
        await crash(subscription)
    survivor = Recorder()
    await bus.subscribe(queue, survivor, batches=Together(survivor).batches)
    await eventually(lambda: len(survivor.got) == len(sent) - 1)
    assert survivor.bodies == sent[1:]

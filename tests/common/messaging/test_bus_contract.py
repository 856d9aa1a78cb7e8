import asyncio
import uuid
from dataclasses import replace

import pytest

from libs.common.errors import PermanentError, TransientError, Unavailable
from libs.common.messaging.bus.protocol import Bus, Death, Delivery, OutgoingMessage, Unroutable
from libs.common.messaging.bus.retry import RetryPolicy
from libs.common.messaging.bus.subscriptions import MESSAGES
from libs.common.messaging.bus.topology import Topology
from tests.common.messaging.conftest import Deployment
from tests.support.dead_letters import crash, dead_letters
from tests.support.handlers import Gate, Recorder
from tests.support.polling import eventually


def message(
    routing_key: str, body: bytes = b"{}", *, mandatory: bool = True, **headers: str
) -> OutgoingMessage:
    return OutgoingMessage(routing_key, body, str(uuid.uuid4()), mandatory, headers)


async def no_gap() -> None:
    raise AssertionError("nothing was missed")


async def test_a_published_message_arrives_as_it_was_sent(bus: Bus, topology: Topology) -> None:
    handler = Recorder()
    await bus.subscribe(topology.analyze[0], handler)
    sent = message("photo.uploaded.00", b'{"photo_id": 1}', traceparent="00-abc")
    await bus.publish(sent)
    await eventually(lambda: handler.got)
    (got,) = handler.got
    assert (got.routing_key, got.body, got.message_id) == (
        sent.routing_key,
        sent.body,
        sent.message_id,
    )
    assert got.queue == topology.analyze[0].name
    assert got.attempt == 1
    assert not got.redelivered
    assert got.headers == {"traceparent": "00-abc"}


async def test_a_message_published_before_anybody_consumes_is_kept(
    bus: Bus, topology: Topology
) -> None:
    await bus.publish(message("photo.uploaded.00"))
    handler = Recorder()
    await bus.subscribe(topology.analyze[0], handler)
    await eventually(lambda: handler.got)


async def test_what_nobody_has_been_given_yet_is_counted(bus: Bus, topology: Topology) -> None:
    queue, other = topology.analyze
    assert await bus.waiting([queue, other]) == {queue.name: 0, other.name: 0}
    for _ in range(3):
        await bus.publish(message("photo.uploaded.00"))
    await bus.publish(message("photo.uploaded.01"))

    async def waiting(number: int) -> bool:
        return await bus.waiting([queue, other]) == {queue.name: number, other.name: 1}

    await eventually(lambda: waiting(3))
    gate = Gate()
    await bus.subscribe(queue, gate)
    await eventually(lambda: waiting(2))
    gate.open.set()
    await eventually(lambda: waiting(0))
    assert await bus.waiting([]) == {}


async def test_a_mandatory_message_that_no_queue_wants_is_refused(bus: Bus) -> None:
    with pytest.raises(Unroutable, match=r"photo\.unknown\.00"):
        await bus.publish(message("photo.unknown.00"))
    await bus.publish(message("photo.uploaded.00"))


async def test_a_notification_that_nobody_wants_is_no_error(bus: Bus) -> None:
    await bus.publish(message("photo.matched.00", mandatory=False))


async def test_a_message_goes_to_its_buckets_queues_alone(bus: Bus, topology: Topology) -> None:
    handlers = {queue.name: Recorder() for queue in topology.queues}
    for queue in topology.queues:
        await bus.subscribe(queue, handlers[queue.name])
    keys = (
        "photo.uploaded.00",
        "photo.uploaded.08",
        "photo.uploaded.01",
        "photo.analyzed.01",
        "selfie.deleted.00",
    )
    for key in keys:
        await bus.publish(message(key))

    def arrived() -> dict[str, list[str]]:
        return {
            name: sorted(delivery.routing_key for delivery in handler.got)
            for name, handler in handlers.items()
        }

    expected = {
        "findme.analyze.00": ["photo.uploaded.00", "photo.uploaded.08"],
        "findme.analyze.01": ["photo.uploaded.01"],
        "findme.match.00": ["selfie.deleted.00"],
        "findme.match.01": ["photo.analyzed.01"],
        "findme.cleanup": ["selfie.deleted.00"],
    }
    await eventually(lambda: arrived() == expected, message=lambda: str(arrived()))


async def test_replicas_share_the_messages_of_a_lane(
    deployment: Deployment, topology: Topology
) -> None:
    one, other = Gate(), Gate()
    async with deployment.replica() as first, deployment.replica() as second:
        await first.subscribe(topology.analyze[0], one)
        await second.subscribe(topology.analyze[0], other)
        for body in (b"1", b"2", b"3", b"4"):
            await first.publish(message("photo.uploaded.00", body))
        # With one message in hand each gets no second, so the other one must get its share.
        await eventually(lambda: len(one.got) == len(other.got) == 1)
        one.open.set()
        other.open.set()
        await eventually(lambda: len(one.finished) + len(other.finished) == 4)
        assert sorted(one.finished + other.finished) == [b"1", b"2", b"3", b"4"]


async def test_a_partition_has_one_owner_and_the_next_takes_over_in_order(
    deployment: Deployment, topology: Topology
) -> None:
    one, other = Gate(), Recorder()
    bodies = [str(number).encode() for number in range(20)]
    async with deployment.replica() as first, deployment.replica() as second:
        owner = await first.subscribe(topology.match[0], one)
        await second.subscribe(topology.match[0], other)
        for body in bodies:
            await first.publish(message("photo.analyzed.00", body))
        await eventually(lambda: one.got)
        assert other.got == []
        stopping = asyncio.create_task(owner.stop())
        one.open.set()
        await stopping
        await eventually(lambda: len(one.finished) + len(other.got) == len(bodies))
        assert one.finished + other.bodies == bodies


async def test_a_partitions_messages_are_handled_one_by_one_in_order(
    bus: Bus, topology: Topology
) -> None:
    at_work, most_at_work = 0, 0
    bodies: list[bytes] = []

    async def handler(delivery: Delivery) -> None:
        nonlocal at_work, most_at_work
        at_work += 1
        most_at_work = max(most_at_work, at_work)
        await asyncio.sleep(0.001)
        bodies.append(delivery.body)
        at_work -= 1

    sent = [str(number).encode() for number in range(50)]
    for body in sent:
        await bus.publish(message("photo.analyzed.00", body))
    await bus.subscribe(replace(topology.match[0], prefetch=5), handler)
    await eventually(lambda: len(bodies) == len(sent))
    assert bodies == sent
    assert most_at_work == 1


async def test_a_lane_hands_out_as_many_messages_at_a_time_as_its_prefetch(
    bus: Bus, topology: Topology
) -> None:
    handler = Gate()
    await bus.subscribe(replace(topology.analyze[0], prefetch=3), handler)
    for _ in range(5):
        await bus.publish(message("photo.uploaded.00"))
    await eventually(lambda: len(handler.got) == 3)
    assert handler.finished == []
    handler.open.set()
    await eventually(lambda: len(handler.finished) == 5)


async def test_a_message_whose_consumer_crashed_is_delivered_again(
    deployment: Deployment, topology: Topology
) -> None:
    crashing, surviving = Gate(), Recorder()
    async with deployment.replica() as first, deployment.replica() as second:
        subscription = await first.subscribe(topology.analyze[0], crashing)
        await first.publish(message("photo.uploaded.00", b"in hand"))
        await eventually(lambda: crashing.got)
        await crash(subscription)
        await second.subscribe(topology.analyze[0], surviving)
        await eventually(lambda: surviving.got)
        (again,) = surviving.got
        assert again.body == b"in hand"
        assert again.redelivered
        assert again.attempt == 1
        assert crashing.finished == []


async def test_a_failed_message_is_tried_again_after_a_pause_and_others_pass_it(
    bus: Bus, topology: Topology
) -> None:
    handler = Recorder(errors=[TransientError("not yet"), TransientError("not yet")])
    queue = topology.analyze[0]
    await bus.subscribe(queue, handler)
    loop = asyncio.get_running_loop()
    started = loop.time()
    await bus.publish(message("photo.uploaded.08", b"failing", traceparent="00-abc"))
    await eventually(lambda: handler.got)
    acked = MESSAGES.labels(queue.name, "acked")
    acked_before = acked._value.get()
    await eventually(lambda: len(handler.got) == 3)
    assert loop.time() - started >= sum(queue.retry.delays_seconds) * 0.9
    assert [delivery.attempt for delivery in handler.got] == [1, 2, 3]
    assert {delivery.routing_key for delivery in handler.got} == {"photo.uploaded.08"}
    assert {delivery.headers["traceparent"] for delivery in handler.got} == {"00-abc"}
    await eventually(lambda: acked._value.get() == acked_before + 1)


@pytest.mark.parametrize("kind", ["analyze", "match"])
async def test_waiting_for_what_is_away_is_no_attempt(
    bus: Bus, topology: Topology, kind: str
) -> None:
    queue, key = (
        (topology.analyze[0], "photo.uploaded.00")
        if kind == "analyze"
        else (topology.match[0], "photo.analyzed.00")
    )
    away = Unavailable("the store is away")
    failing = TransientError("not yet")
    handler = Recorder(errors=[away, away, away, failing, away, failing])
    await bus.subscribe(queue, handler)
    await bus.publish(message(key))
    await eventually(lambda: len(handler.got) == 7)
    assert [delivery.attempt for delivery in handler.got] == [1, 1, 1, 1, 2, 2, 3]
    assert [delivery.waits for delivery in handler.got] == [0, 1, 2, 3, 3, 4, 4]
    assert [delivery.is_repeat for delivery in handler.got] == [False] + [True] * 6


async def test_others_pass_a_message_that_waits_for_its_next_attempt(
    bus: Bus, topology: Topology
) -> None:
    handler = Recorder(errors=[TransientError("not yet")])
    await bus.subscribe(topology.analyze[0], handler)
    await bus.publish(message("photo.uploaded.00", b"failing"))
    await eventually(lambda: handler.got)
    await bus.publish(message("photo.uploaded.00", b"passing"))
    await eventually(lambda: len(handler.got) == 3)
    assert handler.bodies == [b"failing", b"passing", b"failing"]


async def test_nothing_overtakes_a_failed_message_of_a_partition(
    bus: Bus, topology: Topology
) -> None:
    handler = Recorder(errors=[TransientError("not yet"), TransientError("not yet")])
    for body in (b"failing", b"next"):
        await bus.publish(message("photo.analyzed.00", body))
    await bus.subscribe(topology.match[0], handler)
    await eventually(lambda: b"next" in handler.bodies)
    assert handler.bodies == [b"failing", b"failing", b"failing", b"next"]
    assert [delivery.attempt for delivery in handler.got] == [1, 2, 3, 1]


@pytest.mark.parametrize("kind", ["analyze", "match"])
async def test_a_message_that_keeps_failing_ends_as_a_dead_letter_with_its_reason(
    bus: Bus, topology: Topology, kind: str
) -> None:
    queue, key = (
        (topology.analyze[0], "photo.uploaded.00")
        if kind == "analyze"
        else (topology.match[0], "photo.analyzed.00")
    )
    attempts = queue.retry.max_attempts
    counters = {
        outcome: MESSAGES.labels(queue.name, outcome) for outcome in ("retried", "dead_lettered")
    }
    before = {outcome: counter._value.get() for outcome, counter in counters.items()}
    handler = Recorder(errors=[TransientError("no disk")] * attempts)
    await bus.subscribe(queue, handler)
    sent = message(key, b"hopeless", traceparent="00-abc")
    await bus.publish(sent)
    (dead,) = await dead_letters(bus, 1)
    assert (dead.message_id, dead.routing_key, dead.body, dead.headers) == (
        sent.message_id,
        key,
        b"hopeless",
        {"traceparent": "00-abc"},
    )
    assert dead.death == Death(queue.name, "TransientError: no disk", attempts)
    # It is the reader's first attempt, whatever became of the message before.
    assert (dead.queue, dead.attempt) == (topology.dead_letters.name, 1)
    assert len(handler.got) == attempts

    def counted() -> dict[str, float]:
        return {name: counter._value.get() - before[name] for name, counter in counters.items()}

    await eventually(lambda: counted() == {"retried": attempts - 1, "dead_lettered": 1})


async def test_a_message_that_can_never_succeed_is_a_dead_letter_at_once(
    bus: Bus, topology: Topology
) -> None:
    handler = Recorder(errors=[PermanentError("not an image")])
    await bus.subscribe(topology.analyze[0], handler)
    await bus.publish(message("photo.uploaded.00"))
    (dead,) = await dead_letters(bus, 1)
    assert dead.death == Death(topology.analyze[0].name, "PermanentError: not an image", 1)
    assert len(handler.got) == 1


async def test_a_dead_letter_that_cannot_be_collected_is_tried_until_it_can(
    bus: Bus, topology: Topology
) -> None:
    impatient = replace(
        topology.dead_letters, retry=replace(topology.dead_letters.retry, delays_seconds=(0.01,))
    )
    collector = Recorder(errors=[TransientError("no database"), PermanentError("no")] * 3)
    await bus.subscribe(impatient, collector)
    await bus.subscribe(topology.analyze[0], Recorder(errors=[PermanentError("no")] * 2))
    for body in (b"first", b"second"):
        await bus.publish(message("photo.uploaded.00", body))
    await eventually(lambda: b"second" in collector.bodies)
    assert collector.bodies == [b"first"] * 7 + [b"second"]


async def test_collectors_of_several_replicas_share_the_dead_letters(
    deployment: Deployment, topology: Topology
) -> None:
    one, other = Gate(), Gate()
    async with deployment.replica() as first, deployment.replica() as second:
        await first.subscribe(topology.dead_letters, one)
        await second.subscribe(topology.dead_letters, other)
        await first.subscribe(topology.analyze[0], Recorder(errors=[PermanentError("no")] * 2))
        for body in (b"1", b"2"):
            await first.publish(message("photo.uploaded.00", body))
        await eventually(lambda: len(one.got) == len(other.got) == 1)
        one.open.set()
        other.open.set()
        await eventually(lambda: len(one.finished) == len(other.finished) == 1)
        assert sorted(one.finished + other.finished) == [b"1", b"2"]


async def test_a_collector_that_stops_leaves_the_letter_it_could_not_store(
    bus: Bus, topology: Topology
) -> None:
    failing, successor = Recorder(errors=[TransientError("no database")] * 100), Recorder()
    collector = await bus.subscribe(topology.dead_letters, failing)
    await bus.subscribe(topology.analyze[0], Recorder(errors=[PermanentError("no")]))
    await bus.publish(message("photo.uploaded.00", b"dead"))
    await eventually(lambda: failing.got)
    await collector.stop()
    await bus.subscribe(topology.dead_letters, successor)
    await eventually(lambda: successor.got)
    assert successor.bodies == [b"dead"]
    assert successor.got[0].death == failing.got[0].death


async def test_listeners_get_copies_of_what_matches_their_patterns(
    deployment: Deployment, topology: Topology
) -> None:
    one, other, worker = Recorder(), Recorder(), Recorder()
    async with deployment.replica() as first, deployment.replica() as second:
        await first.subscribe(topology.match[0], worker)
        await first.listen(["photo.matched.*", "selfie.*.00"], one, on_gap=no_gap)
        await second.listen(["photo.matched.*"], other, on_gap=no_gap)
        for key in ("photo.matched.03", "selfie.uploaded.00", "photo.changed.00"):
            await first.publish(message(key, mandatory=False))
        await first.publish(message("photo.matched.07", mandatory=False))
        await eventually(lambda: len(one.got) == 3 and len(other.got) == 2 and worker.got)
        assert [d.routing_key for d in one.got] == [
            "photo.matched.03",
            "selfie.uploaded.00",
            "photo.matched.07",
        ]
        assert [d.routing_key for d in other.got] == ["photo.matched.03", "photo.matched.07"]


async def test_a_listener_that_failed_is_told_of_the_gap(bus: Bus) -> None:
    handler = Recorder(errors=[TransientError("lost it")])
    gaps = 0

    async def on_gap() -> None:
        nonlocal gaps
        gaps += 1

    await bus.listen(["photo.matched.*"], handler, on_gap=on_gap)
    await bus.publish(message("photo.matched.00", mandatory=False))
    await eventually(lambda: gaps == 1)
    await bus.publish(message("photo.matched.00", mandatory=False))
    await eventually(lambda: len(handler.got) == 2)
    assert gaps == 1


async def test_a_stopped_listener_gets_nothing_more(bus: Bus) -> None:
    stopped, listening = Recorder(), Recorder()
    subscription = await bus.listen(["photo.matched.*"], stopped, on_gap=no_gap)
    await bus.listen(["photo.matched.*"], listening, on_gap=no_gap)
    await subscription.stop()
    await bus.publish(message("photo.matched.00", mandatory=False))
    await eventually(lambda: listening.got)
    assert stopped.got == []


async def test_stop_finishes_the_message_in_hand_and_leaves_the_rest(
    bus: Bus, topology: Topology
) -> None:
    handler = Gate()
    subscription = await bus.subscribe(topology.analyze[0], handler)
    for body in (b"in hand", b"waiting"):
        await bus.publish(message("photo.uploaded.00", body))
    await eventually(lambda: handler.got)
    stopping = asyncio.create_task(subscription.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    handler.open.set()
    await stopping
    assert handler.finished == [b"in hand"]
    successor = Recorder()
    await bus.subscribe(topology.analyze[0], successor)
    await eventually(lambda: successor.got)
    assert successor.bodies == [b"waiting"]


async def test_stop_does_not_wait_for_the_pause_before_a_retry(
    topology: Topology, bus: Bus
) -> None:
    patient = replace(topology.match[0], retry=RetryPolicy((60.0,), keeps_order=True))
    failing = Recorder(errors=[TransientError("not yet")])
    subscription = await bus.subscribe(patient, failing)
    await bus.publish(message("photo.analyzed.00", b"failing"))
    await eventually(lambda: failing.got)
    await subscription.stop()
    successor = Recorder()
    await bus.subscribe(topology.match[0], successor)
    await eventually(lambda: successor.got)
    assert successor.bodies == [b"failing"]


async def test_stopping_twice_is_harmless(bus: Bus, topology: Topology) -> None:
    subscription = await bus.subscribe(topology.analyze[0], Recorder())
    await subscription.stop()
    await subscription.stop()


async def test_a_bus_in_use_passes_its_check(bus: Bus) -> None:
    await bus.check()

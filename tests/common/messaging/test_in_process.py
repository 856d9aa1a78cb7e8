import asyncio

import pytest

from libs.common.errors import PermanentError
from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.bus.protocol import BusUnavailable, OutgoingMessage
from libs.common.messaging.bus.topology import findme_topology
from tests.support.handlers import Gate, Recorder
from tests.support.polling import eventually

TOPOLOGY = findme_topology()
LANE = TOPOLOGY.analyze[0]


def message(body: bytes = b"{}") -> OutgoingMessage:
    return OutgoingMessage("photo.uploaded.00", body, "id")


async def test_publishing_to_a_full_queue_waits_for_room() -> None:
    bus = InProcessBus(TOPOLOGY, queue_capacity=1)
    await bus.publish(message(b"first"))
    second = asyncio.create_task(bus.publish(message(b"second")))
    await asyncio.sleep(0)
    assert not second.done()
    handler = Recorder()
    await bus.subscribe(LANE, handler)
    await second
    await eventually(lambda: handler.bodies == [b"first", b"second"])
    await bus.close()


async def test_a_queue_that_stays_full_refuses() -> None:
    bus = InProcessBus(TOPOLOGY, queue_capacity=1, publish_seconds=0.05)
    handler = Gate()
    await bus.subscribe(LANE, handler)
    await bus.publish(message())
    await eventually(lambda: handler.got)
    # What is in hand counts: it may come back.
    with pytest.raises(BusUnavailable, match="full"):
        await bus.publish(message())
    await bus.close()


async def test_a_message_without_room_among_the_dead_letters_is_held_until_there_is() -> None:
    bus = InProcessBus(TOPOLOGY, queue_capacity=1)
    lane = Recorder(errors=[PermanentError("no")] * 2)
    await bus.subscribe(LANE, lane)
    for body in (b"1", b"2"):
        await bus.publish(message(body))
    await eventually(lambda: lane.bodies == [b"1", b"2"])
    # The second has no room there, and keeps its room here.
    publishing = asyncio.create_task(bus.publish(message(b"3")))
    await asyncio.sleep(0)
    assert not publishing.done()
    collector = Recorder()
    await bus.subscribe(TOPOLOGY.dead_letters, collector)
    await eventually(lambda: collector.bodies == [b"1", b"2"])
    await publishing
    await eventually(lambda: lane.bodies == [b"1", b"2", b"3"])
    await bus.close()


async def test_a_stopped_consumer_gives_back_the_message_that_it_held() -> None:
    bus = InProcessBus(TOPOLOGY, queue_capacity=1)
    holding, successor = Recorder(errors=[PermanentError("no")] * 2), Recorder()
    subscription = await bus.subscribe(LANE, holding)
    for body in (b"1", b"2"):
        await bus.publish(message(body))
    await eventually(lambda: holding.bodies == [b"1", b"2"])
    await subscription.stop()
    await bus.subscribe(LANE, successor)
    await eventually(lambda: successor.bodies == [b"2"])
    await bus.close()


async def test_a_closed_bus_aborts_its_consumers_and_refuses_further_use() -> None:
    bus = InProcessBus(TOPOLOGY)
    handler = Gate()
    await bus.subscribe(LANE, handler)
    await bus.publish(message())
    await eventually(lambda: handler.got)
    await bus.close()
    assert handler.finished == []
    with pytest.raises(BusUnavailable):
        await bus.publish(message())
    with pytest.raises(BusUnavailable):
        await bus.check()

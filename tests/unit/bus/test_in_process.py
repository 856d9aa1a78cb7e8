import asyncio

import pytest

from libs.common.bus.in_process import InProcessBus
from libs.common.bus.protocol import BusUnavailable, OutgoingMessage
from libs.common.bus.topology import findme_topology
from libs.common.errors import PermanentError
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


async def test_dead_letters_are_bounded_by_forgetting_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("libs.common.bus.in_process.DEAD_LETTERS_KEPT", 2)
    bus = InProcessBus(TOPOLOGY)
    await bus.subscribe(LANE, Recorder(errors=[PermanentError("no")] * 3))
    for body in (b"1", b"2", b"3"):
        await bus.publish(message(body))
    await eventually(lambda: [d.delivery.body for d in bus.dead_letters] == [b"2", b"3"])
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

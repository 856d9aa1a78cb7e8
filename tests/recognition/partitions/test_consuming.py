from collections.abc import AsyncIterator
from functools import partial

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from libs.common.background import BackgroundTaskDown, BackgroundTasks
from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.bus.protocol import Batches, Delivery, Handler, Subscription
from libs.common.messaging.bus.topology import Queue
from libs.common.resources import Resources
from services.recognition.partitions import holding
from services.recognition.partitions import repository as leases
from services.recognition.partitions.owner import PartitionOwner
from tests.recognition.partition_world import TIMES
from tests.support.polling import eventually

SICK = 3


async def nothing(_: Delivery) -> None:
    """Messages are not the subject."""


@pytest.fixture
async def background() -> AsyncIterator[BackgroundTasks]:
    async with BackgroundTasks(first_pause_seconds=60) as tasks:
        yield tasks


async def test_a_partition_whose_consumer_keeps_ending_costs_the_others_nothing(
    resources: Resources, background: BackgroundTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "SUBSCRIBE_AGAIN_SECONDS", 0.05)
    bus, topology = resources.bus, resources.topology
    assert isinstance(bus, InProcessBus)
    subscribe = bus.subscribe
    begun: list[str] = []

    async def briefly(
        queue: Queue, handler: Handler, *, batches: Batches | None = None
    ) -> Subscription:
        subscription = await subscribe(queue, handler, batches=batches)
        if queue is topology.match[SICK]:
            begun.append(queue.name)
            await subscription.stop()
        return subscription

    monkeypatch.setattr(bus, "subscribe", briefly)
    owner = PartitionOwner(resources.database, bus, topology.match, replica="one", times=TIMES)
    with capture_logs() as logs:
        background.start("match partitions", partial(owner.run, nothing))
        await eventually(lambda: len(owner.owned) == len(topology.match))
        async with resources.database.read() as connection:
            first_lease = await connection.scalar(
                text("SELECT max(lease_until) FROM match_partitions")
            )

        async def is_renewed_past_its_first_lease() -> bool:
            async with resources.database.read() as connection:
                return bool(
                    await connection.scalar(text("SELECT now() > :ends"), {"ends": first_lease})
                )

        await eventually(is_renewed_past_its_first_lease)
        assert len(begun) > 1

        async def is_missed() -> bool:
            try:
                await owner.check()
            except BackgroundTaskDown as error:
                return f"match partition {SICK} " in str(error)
            return False

        await eventually(is_missed)
    assert len(owner.owned) == len(topology.match)
    async with resources.database.read() as connection:
        assert {row.epoch for row in await leases.read_all(connection)} == {1}
    assert not [entry for entry in logs if entry["event"] == "partition_lost"]
    await owner.stop()


async def test_a_stop_does_not_wait_for_a_task_that_has_ended_to_be_begun_again(
    resources: Resources, background: BackgroundTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = PartitionOwner(
        resources.database, resources.bus, resources.topology.match, replica="one", times=TIMES
    )
    task = background.start("match partitions", partial(owner.run, nothing))
    await eventually(lambda: len(owner.owned) == len(resources.topology.match))

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr(leases, "announce", broken)
    await eventually(lambda: task.failure is not None)
    await owner.stop()
    assert not owner.owned

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace

import pytest

from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.bus.open import open_bus
from libs.common.messaging.bus.protocol import Bus
from libs.common.messaging.bus.rabbitmq import declare
from libs.common.messaging.bus.topology import Topology, findme_topology


@pytest.fixture
def topology() -> Topology:
    """The real topology with short delays, and few queues: declaring one takes 10 to 30 ms."""
    whole = findme_topology(retry_delays_seconds=(0.2, 0.4), in_process_delays_seconds=(0.05, 0.1))
    return replace(whole, analyze=whole.analyze[:2], match=whole.match[:2])


class Deployment:
    """A bus and the ways to connect to it: one process, or several replicas of a broker."""

    def __init__(self, amqp_url: str | None, topology: Topology) -> None:
        self.amqp_url = amqp_url
        self.topology = topology
        self._shared = InProcessBus(topology)

    def replica(self) -> AbstractAsyncContextManager[Bus]:
        """A connection of a further replica; in process there is one bus for all."""
        if self.amqp_url is None:
            return nullcontext(self._shared)
        return open_bus(self.amqp_url, self.topology)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Deployment"]:
        if self.amqp_url is not None:
            await declare(self.amqp_url, self.topology)
        try:
            yield self
        finally:
            await self._shared.close()


@pytest.fixture(params=["in_process", "rabbitmq"])
async def deployment(
    request: pytest.FixtureRequest, topology: Topology
) -> AsyncIterator[Deployment]:
    amqp_url = request.getfixturevalue("amqp_url") if request.param == "rabbitmq" else None
    async with Deployment(amqp_url, topology).running() as deployment:
        yield deployment


@pytest.fixture
async def bus(deployment: Deployment) -> AsyncIterator[Bus]:
    async with deployment.replica() as bus:
        yield bus

"""Which adapter a process uses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.bus.protocol import Bus
from libs.common.messaging.bus.topology import Topology


@asynccontextmanager
async def open_bus(amqp_url: str | None, topology: Topology) -> AsyncIterator[Bus]:
    """Open RabbitMQ, checked for the topology; without a URL the bus is in this process.

    Raises TopologyMissing. A broker that is away is no error: work waits in the outbox.
    """
    if amqp_url is None:
        local = InProcessBus(topology)
        try:
            yield local
        finally:
            await local.close()
        return
    # Standalone never loads the AMQP client.
    from libs.common.messaging.bus.rabbitmq import RabbitMQBus

    remote = RabbitMQBus(amqp_url)
    try:
        await remote.open(topology)
        yield remote
    finally:
        await remote.close()

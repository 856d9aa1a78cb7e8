"""Making the topology in a broker (the migration), and checking for it (every start)."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
)

from libs.common.errors import FindMeError
from libs.common.messaging.bus.protocol import BusUnavailable
from libs.common.messaging.bus.rabbitmq.connection import Link, TopologyMissing
from libs.common.messaging.bus.rabbitmq.layout import layout
from libs.common.messaging.bus.topology import Topology

#: One operation of the broker; a cluster may have to elect a leader for a queue.
OPERATION_SECONDS = 30.0


class IncompatibleTopology(FindMeError):
    """The broker has a queue or exchange of that name with other arguments."""

    def __init__(self, name: str, broker_text: str) -> None:
        argument = re.search(r"inequivalent arg '([^']+)'", broker_text)
        what = f"another {argument[1]}" if argument else "other arguments"
        super().__init__(
            f"{name} exists with {what} than this release needs: let it run empty, delete it,"
            f" and run `findme migrate` again ({broker_text})"
        )
        self.name = name
        self.argument = argument[1] if argument else None


async def declare(url: str, topology: Topology) -> None:
    """Declare everything; what is there already stays as it is.

    Raises IncompatibleTopology, BusUnavailable.
    """
    link = Link(url, name="findme migrate")
    await link.open()
    try:
        async with _channel(link.connection()) as channel:
            await _declare_all(channel, topology)
    finally:
        await link.close()


async def verify(connection: AbstractConnection, topology: Topology) -> None:
    """Check, changing nothing, that everything was declared.

    Raises TopologyMissing, BusUnavailable.
    """
    wanted = layout(topology)
    async with _channel(connection) as channel:
        for name, kind in wanted.exchanges:
            with _missing(f"exchange {name}"):
                await channel.declare_exchange(name, kind, passive=True, timeout=OPERATION_SECONDS)
        for queue in wanted.queues:
            with _missing(f"queue {queue.name}"):
                await channel.declare_queue(queue.name, passive=True, timeout=OPERATION_SECONDS)
        with _missing(f"bindings as this release needs them (exchange {wanted.marker})"):
            await channel.declare_exchange(
                wanted.marker, "fanout", passive=True, timeout=OPERATION_SECONDS
            )


async def ready_messages(url: str, queues: Sequence[str]) -> dict[str, int]:
    """Connect, and count what waits in each queue; see `count_waiting`."""
    link = Link(url, name="findme operator")
    await link.open()
    try:
        return await count_waiting(link.connection(), queues)
    finally:
        await link.close()


async def count_waiting(connection: AbstractConnection, queues: Sequence[str]) -> dict[str, int]:
    """Count what waits in each queue; messages in a consumer's hand are not counted.

    Raises TopologyMissing, BusUnavailable.
    """
    counts: dict[str, int] = {}
    async with _channel(connection) as channel:
        for name in queues:
            with _missing(f"queue {name}"):
                queue = await channel.declare_queue(name, passive=True, timeout=OPERATION_SECONDS)
            counts[name] = queue.declaration_result.message_count or 0
    return counts


async def _declare_all(channel: AbstractChannel, topology: Topology) -> None:
    wanted = layout(topology)
    for name, kind in wanted.exchanges:
        with _incompatible(name):
            await channel.declare_exchange(name, kind, durable=True, timeout=OPERATION_SECONDS)
    for queue in wanted.queues:
        with _incompatible(queue.name):
            await channel.declare_queue(
                queue.name, durable=True, arguments=queue.arguments, timeout=OPERATION_SECONDS
            )
    for binding in wanted.bindings:
        bound = await channel.get_queue(binding.queue, ensure=False)
        await bound.bind(
            binding.exchange, routing_key=binding.routing_key, timeout=OPERATION_SECONDS
        )
    await channel.declare_exchange(wanted.marker, "fanout", durable=True, timeout=OPERATION_SECONDS)


@asynccontextmanager
async def _channel(connection: AbstractConnection) -> AsyncIterator[AbstractChannel]:
    try:
        async with connection.channel() as channel:
            yield channel
    except (*CONNECTION_EXCEPTIONS, TimeoutError) as error:
        raise BusUnavailable(f"RabbitMQ did not answer: {error}") from error


@contextmanager
def _incompatible(name: str) -> Iterator[None]:
    try:
        yield
    except ChannelPreconditionFailed as error:
        raise IncompatibleTopology(name, str(error)) from error


@contextmanager
def _missing(what: str) -> Iterator[None]:
    try:
        yield
    except ChannelNotFoundEntity as error:
        raise TopologyMissing(what) from error

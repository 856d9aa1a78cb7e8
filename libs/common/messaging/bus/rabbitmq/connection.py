"""One AMQP connection, made again whenever it is lost, and the channels on it."""

import asyncio
import contextlib
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Final

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.connection import Connection, make_url
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    ChannelNotFoundEntity,
    DeliveryError,
    PublishError,
)

from libs.common.background import FIRST_PAUSE_SECONDS, BackgroundTask
from libs.common.errors import FindMeError
from libs.common.messaging.bus.protocol import BusUnavailable, QueueFull, Unroutable
from libs.common.messaging.bus.subscriptions import unless_set

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 5
CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 5.0
MIN_BACKOFF_SECONDS = 0.2
MAX_BACKOFF_SECONDS = 3.0
PUBLISH_SECONDS = 10.0
OPERATION_SECONDS = 10.0
REOPEN_SECONDS = 0.5


class TopologyMissing(FindMeError):
    """The broker lacks something that this release needs."""

    def __init__(self, what: str) -> None:
        super().__init__(f"RabbitMQ has no {what}: run `findme migrate`")
        self.what = what


def is_cancelled() -> bool:
    """Whether a CancelledError is meant for the running task.

    A channel that closes cancels what waits for its answers, as if the caller had been.
    """
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


class Link:
    """Keeps one connection open.

    aio-pika's own robust connection restores channels and consumers behind the back of
    handlers that still run; here whoever uses a channel opens the next one itself.
    """

    def __init__(self, url: str, *, name: str) -> None:
        self._url = url
        self._name = name
        self._connection: AbstractConnection | None = None
        self._is_up = asyncio.Event()
        self._is_lost = asyncio.Event()
        self._keeper: BackgroundTask | None = None

    async def open(self) -> None:
        """Connect, and stay connected from now on. Raises BusUnavailable."""
        await self._connect()
        self._start_keeping()

    async def open_when_possible(self) -> bool:
        """Connect now or as soon as the broker is there; return whether it was there."""
        try:
            await self._connect()
        except BusUnavailable:
            self._is_lost.set()
        self._start_keeping()
        return self._is_up.is_set()

    def _start_keeping(self) -> None:
        self._keeper = BackgroundTask(
            "amqp link", self._keep, first_pause_seconds=FIRST_PAUSE_SECONDS
        )

    async def close(self) -> None:
        """Disconnect for good."""
        if self._keeper is not None:
            await self._keeper.stop()
        self._is_up.clear()
        await self._discard()

    def connection(self) -> AbstractConnection:
        """The open connection. Raises BusUnavailable at once while there is none."""
        if self._connection is None or self._is_lost.is_set():
            raise BusUnavailable("RabbitMQ cannot be reached")
        return self._connection

    async def is_up(self) -> bool:
        """Wait until connected."""
        return await self._is_up.wait()

    async def _connect(self) -> None:
        connection = Connection(
            make_url(self._url, heartbeat=HEARTBEAT_SECONDS),
            client_properties={"connection_name": self._name},
        )
        try:
            await connection.connect(timeout=CONNECT_SECONDS)
        except BaseException as error:
            # `aio_pika.connect` leaves it open for the garbage collector, whose finalizer starts
            # a coroutine on whatever loop there is by then, or on none.
            with contextlib.suppress(*CONNECTION_EXCEPTIONS, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await connection.close()
            if isinstance(error, (*CONNECTION_EXCEPTIONS, TimeoutError)):
                raise BusUnavailable(f"RabbitMQ cannot be reached: {error}") from error
            raise
        self._is_lost.clear()
        # `closed()` and `is_closed` tell of our own closing only, not of the broker's.
        connection.close_callbacks.add(self._on_lost)
        self._connection = connection
        self._is_up.set()

    async def _on_lost(self, *_: object) -> None:
        self._is_up.clear()
        self._is_lost.set()

    async def _keep(self) -> None:
        while True:
            await self._is_lost.wait()
            log.warning("amqp_connection_lost", connection=self._name)
            await self._discard()
            await self._reconnect()
            log.info("amqp_connection_restored", connection=self._name)

    async def _reconnect(self) -> None:
        backoff = MIN_BACKOFF_SECONDS
        while True:
            try:
                await self._connect()
            except BusUnavailable as error:
                log.info("amqp_unreachable", error=error, retry_in_seconds=backoff)
                # Not all replicas at once after a restart of the broker.
                await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311
                backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)
            else:
                return

    async def _discard(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*CONNECTION_EXCEPTIONS, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await connection.close()


class Publisher:
    """Publishes; returning means that the broker has the message on disk."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()

    async def publish(
        self, exchange: str, routing_key: str, message: aio_pika.Message, *, mandatory: bool = True
    ) -> None:
        """Raises Unroutable, QueueFull, or BusUnavailable: then the broker may have it or not."""
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                channel = await self._open_channel()
                target = await channel.get_exchange(exchange, ensure=False)
                await target.publish(message, routing_key, mandatory=mandatory)
        except PublishError as error:
            raise Unroutable(routing_key) from error
        except DeliveryError as error:
            raise QueueFull(f"a queue for {routing_key} is full") from error
        except TimeoutError as error:
            raise BusUnavailable(f"no confirm within {PUBLISH_SECONDS:g} s") from error
        except CONNECTION_EXCEPTIONS as error:
            raise BusUnavailable(f"publishing failed: {error}") from error
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            raise BusUnavailable("the channel was closed") from error

    async def _open_channel(self) -> AbstractChannel:
        async with self._opening:
            connection = self._link.connection()
            if self._channel is None or self._channel.is_closed:
                self._channel = await connection.channel(
                    publisher_confirms=True, on_return_raises=True
                )
            return self._channel


class Feed:
    """One channel and what the broker pushed over it; `ended` once nothing more will come."""

    def __init__(self, channel: AbstractChannel) -> None:
        self.channel: Final = channel
        self.ended: Final = asyncio.Event()
        self._messages: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._tag: str | None = None

    async def consume(self, queue: str, *, no_ack: bool = False) -> None:
        """Have the broker push a queue's messages, as many as the channel's prefetch allows."""
        self.channel.close_callbacks.add(self._end)
        underlay = await self.channel.get_underlay_channel()
        # The broker cancels a consumer whose queue is deleted; the channel stays open.
        underlay.on_consumer_cancel_callbacks.add(self._end)
        source = await self.channel.get_queue(queue, ensure=False)
        # The callback only passes on: aio-pika runs callbacks concurrently, and cancels those
        # that still run when the channel is lost.
        self._tag = await source.consume(
            self._messages.put, no_ack=no_ack, timeout=OPERATION_SECONDS
        )

    async def consume_more(self, queue: str, prefetch: int) -> None:
        """Go on with another prefetch, which the broker takes from consumers to come only.

        What was pushed before comes first.
        """
        if self._tag is None or self.ended.is_set():
            return
        source = await self.channel.get_queue(queue, ensure=False)
        await source.cancel(self._tag, timeout=OPERATION_SECONDS)
        await self.channel.set_qos(prefetch, timeout=OPERATION_SECONDS)
        self._tag = await source.consume(self._messages.put, timeout=OPERATION_SECONDS)

    def next_now(self) -> AbstractIncomingMessage | None:
        """The next message where it has been pushed already."""
        return (
            None if self.ended.is_set() or self._messages.empty() else self._messages.get_nowait()
        )

    async def next(self, stopping: asyncio.Event) -> AbstractIncomingMessage | None:
        """The next message, None when stopping or ended; what is left goes back by itself."""
        return await unless_set(self._messages.get(), stopping, self.ended)

    async def _end(self, *_: object) -> None:
        self.ended.set()


class ChannelUser(ABC):
    """Does its work on a channel, and again on a new one whenever that is lost."""

    prefetch = 0

    def __init__(self, link: Link, *, name: str) -> None:
        self.name = name
        self.stopping: Final = asyncio.Event()
        self._link = link
        self._first_try: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @abstractmethod
    async def work(self, feed: Feed) -> None:
        """Set up, call `is_set_up`, and work until `stopping` or `feed.ended`."""

    @property
    def is_late(self) -> bool:
        """Whether this is not the first try any more."""
        return self._first_try.done()

    def is_set_up(self) -> None:
        """What the subscriber asked for is in force."""
        if not self._first_try.done():
            self._first_try.set_result(None)

    async def first_try(self) -> None:
        """Wait until set up, or until the broker turned out to be away: then it comes later.

        Raises TopologyMissing.
        """
        await asyncio.shield(self._first_try)

    async def run(self) -> None:
        """Work until told to stop."""
        while not self.stopping.is_set():
            try:
                async with self._open() as feed:
                    await self.work(feed)
            except ChannelNotFoundEntity as error:
                if not self._first_try.done():
                    self._first_try.set_exception(TopologyMissing(self.name))
                    return
                log.error("queue_is_gone", consumer=self.name, error=error)  # noqa: TRY400
            except (BusUnavailable, TimeoutError, *CONNECTION_EXCEPTIONS) as error:
                log.info("channel_lost", consumer=self.name, error=error)
            except asyncio.CancelledError:
                if is_cancelled():
                    raise
            self.is_set_up()
            await unless_set(asyncio.sleep(REOPEN_SECONDS), self.stopping)
            await unless_set(self._link.is_up(), self.stopping)

    @contextlib.asynccontextmanager
    async def _open(self) -> AsyncIterator[Feed]:
        channel = self._link.connection().channel(publisher_confirms=False)
        async with asyncio.timeout(OPERATION_SECONDS):
            await channel.initialize()
        try:
            if self.prefetch:
                await channel.set_qos(self.prefetch, timeout=OPERATION_SECONDS)
            yield Feed(channel)
        finally:
            # Unsettled messages go back to the queue with this.
            with contextlib.suppress(TimeoutError, *CONNECTION_EXCEPTIONS):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await channel.close()

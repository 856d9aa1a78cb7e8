"""One AMQP connection that is made again, with backoff, whenever it is lost."""

import asyncio
import contextlib
import random

import structlog
from aio_pika.abc import AbstractConnection
from aio_pika.connection import Connection, make_url
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from libs.common.background import FIRST_PAUSE_SECONDS, BackgroundTask
from libs.common.messaging.bus.protocol import BusUnavailable

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 5
CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 5.0
MIN_BACKOFF_SECONDS = 0.2
MAX_BACKOFF_SECONDS = 3.0


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
                log.info("amqp_unreachable", error=str(error), retry_in_seconds=backoff)
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

"""Publishing with confirms on one channel, which is replaced when it breaks."""

import asyncio

import aio_pika
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, DeliveryError, PublishError

from libs.common.messaging.bus.protocol import BusUnavailable, Unroutable
from libs.common.messaging.bus.rabbitmq.connection import Link, is_cancelled

PUBLISH_SECONDS = 10.0


class Publisher:
    """Publishes; returning means that the broker has the message on disk."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()

    async def publish(
        self, exchange: str, routing_key: str, message: aio_pika.Message, *, mandatory: bool = True
    ) -> None:
        """Raises Unroutable, or BusUnavailable: then the broker may have it or not."""
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                channel = await self._open_channel()
                target = await channel.get_exchange(exchange, ensure=False)
                await target.publish(message, routing_key, mandatory=mandatory)
        except PublishError as error:
            raise Unroutable(routing_key) from error
        except DeliveryError as error:
            raise BusUnavailable(f"a queue for {routing_key} is full") from error
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

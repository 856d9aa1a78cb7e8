"""Subscriptions that last as long as their process."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn, Self

from libs.common.errors import FindMeError
from libs.common.messaging.bus.protocol import Subscription
from libs.common.messaging.bus.running import stop_all


class SubscriptionEnded(FindMeError):
    """A subscription that nobody stopped has ended."""


class LastingSubscription:
    """A subscription that ends when it is stopped; `run` notices when it ends by itself.

    `run` is the work of a background task: begun again it subscribes again, cancelled it stops.
    """

    def __init__(
        self, subscribe: Callable[[], Awaitable[Subscription]], first: Subscription
    ) -> None:
        self._subscribe = subscribe
        self._subscription: Subscription | None = first
        self._is_stopping = False

    @classmethod
    async def begin(cls, subscribe: Callable[[], Awaitable[Subscription]]) -> Self:
        """Subscribe for the first time; raises what that raises."""
        return cls(subscribe, await subscribe())

    async def run(self) -> NoReturn:
        """Wait until cancelled. Raises what the subscription ended by, or SubscriptionEnded."""
        try:
            if self._subscription is None and not self._is_stopping:
                self._subscription = await self._subscribe()
            if self._subscription is not None:
                await self._subscription.ended()
            while self._is_stopping:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            await stop_all([self])
            raise
        except BaseException:
            self._subscription = None
            raise
        self._subscription = None
        raise SubscriptionEnded("the subscription has ended")

    async def stop(self) -> None:
        """See `Intake.stop`."""
        self._is_stopping = True
        if self._subscription is not None:
            await self._subscription.stop()

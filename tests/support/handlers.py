"""Handlers for the bus that record what they got, fail on purpose, or hold on."""

import asyncio
from collections.abc import Sequence

from libs.common.messaging.bus.protocol import Delivery


class Recorder:
    """Records deliveries; raises the given errors first, in their order."""

    def __init__(self, errors: Sequence[Exception] = ()) -> None:
        self.got: list[Delivery] = []
        self._errors = list(errors)

    async def __call__(self, delivery: Delivery) -> None:
        self.got.append(delivery)
        if self._errors:
            raise self._errors.pop(0)

    @property
    def bodies(self) -> list[bytes]:
        """The bodies in the order of their arrival, repeats included."""
        return [delivery.body for delivery in self.got]


class Gate(Recorder):
    """Holds every message in hand until `open` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.finished: list[bytes] = []

    async def __call__(self, delivery: Delivery) -> None:
        await super().__call__(delivery)
        await self.open.wait()
        self.finished.append(delivery.body)

"""Reading what was given up, and giving up a message as a broker does."""

import asyncio

from libs.common import tasks
from libs.common.messaging.bus.protocol import Bus, Delivery, Subscription
from libs.common.messaging.bus.topology import DEAD_LETTERS, DELIVERY_LIMIT, Queue
from tests.support.handlers import Gate, Recorder
from tests.support.polling import eventually


async def dead_letters(bus: Bus, count: int) -> list[Delivery]:
    """Wait for that many dead letters and take them off the bus; return all there are."""
    reader = Recorder()
    subscription = await bus.subscribe(DEAD_LETTERS, reader)
    await eventually(lambda: len(reader.got) >= count)
    await subscription.stop()
    return reader.got


async def crash(subscription: Subscription) -> None:
    """Stop without the patience for the message in hand, as at the end of a grace period."""
    stopping = asyncio.create_task(subscription.stop())
    await asyncio.sleep(0)
    await tasks.end(stopping)


async def crash_until_given_up(bus: Bus, queue: Queue) -> int:
    """Lose consumers with the queue's first message in hand; return how many times."""
    crashes = 0
    while crashes <= DELIVERY_LIMIT:
        handler = Gate()
        subscription = await bus.subscribe(queue, handler)
        await eventually(lambda handler=handler: handler.got)  # type: ignore[misc]
        await crash(subscription)
        crashes += 1
    return crashes

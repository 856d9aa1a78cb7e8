"""One replica as a process of its own: prints each message that it handled."""

import asyncio
import sys

from libs.common.messaging.bus.protocol import Delivery
from tests.recognition.partition_world import running_fleet


async def main(database_url: str, amqp_url: str, name: str) -> None:
    async with running_fleet(database_url, amqp_url) as fleet:
        await fleet.start(name, on_handled=say)
        await asyncio.Event().wait()


def say(delivery: Delivery) -> None:
    print(delivery.message_id, flush=True)  # noqa: T201 - what the test reads


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

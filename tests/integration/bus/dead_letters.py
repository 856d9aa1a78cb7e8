import aio_pika

from libs.common.bus.in_process import DeadLettered, InProcessBus
from libs.common.bus.protocol import Bus
from libs.common.bus.rabbitmq import envelope
from libs.common.bus.topology import DEAD_LETTER_QUEUE
from tests.integration.bus.conftest import Deployment
from tests.support.polling import eventually


async def dead_letters(deployment: Deployment, bus: Bus, count: int) -> list[DeadLettered]:
    """Wait for that many dead letters; return all there are."""
    if isinstance(bus, InProcessBus):
        await eventually(lambda: len(bus.dead_letters) >= count)
        return list(bus.dead_letters)
    assert deployment.amqp_url is not None
    found: list[DeadLettered] = []
    async with (
        await aio_pika.connect(deployment.amqp_url, timeout=10) as connection,
        connection.channel() as channel,
    ):
        queue = await channel.get_queue(DEAD_LETTER_QUEUE)

        async def take_all() -> bool:
            while letter := await queue.get(fail=False, timeout=5):
                headers = letter.headers
                found.append(
                    DeadLettered(
                        envelope.delivered(letter, str(headers[envelope.DEAD_QUEUE])),
                        str(headers[envelope.DEAD_REASON]),
                    )
                )
                await letter.ack()
            return len(found) >= count

        await eventually(take_all)
    return found

import asyncio

from libs.common.messaging.bus.mailbox import Mailbox
from libs.common.messaging.bus.protocol import Delivery
from tests.support.handlers import Recorder
from tests.support.polling import eventually


def delivery(body: bytes) -> Delivery:
    return Delivery("", "photo.matched.00", body, "id", attempt=1, redelivered=False)


async def test_a_full_mailbox_becomes_one_gap_and_goes_on_with_what_comes_later() -> None:
    handler, gaps = Recorder(), 0

    async def on_gap() -> None:
        nonlocal gaps
        gaps += 1

    mailbox = Mailbox(handler, on_gap, capacity=3)
    for number in range(4):
        mailbox.offer(delivery(str(number).encode()))
    mailbox.offer(delivery(b"later"))
    stopping = asyncio.Event()
    running = asyncio.create_task(mailbox.run(stopping))
    await eventually(lambda: handler.bodies == [b"later"])
    assert gaps == 1
    stopping.set()
    await running


async def test_a_gap_callback_that_fails_does_not_end_the_listener() -> None:
    handler = Recorder()

    async def on_gap() -> None:
        raise RuntimeError("the database is away")

    mailbox = Mailbox(handler, on_gap)
    stopping = asyncio.Event()
    running = asyncio.create_task(mailbox.run(stopping))
    mailbox.report_gap()
    await asyncio.sleep(0)
    mailbox.offer(delivery(b"later"))
    await eventually(lambda: handler.bodies == [b"later"])
    stopping.set()
    await running

"""A listener: a private queue that lives as long as its connection."""

import asyncio
from collections.abc import Sequence

from libs.common.messaging.bus.mailbox import Mailbox
from libs.common.messaging.bus.rabbitmq import envelope
from libs.common.messaging.bus.rabbitmq.channels import OPERATION_SECONDS, ChannelUser, Intake
from libs.common.messaging.bus.rabbitmq.connection import Link
from libs.common.messaging.bus.topology import EVENTS_EXCHANGE


class Listener(ChannelUser):
    """Copies matching messages into a mailbox; a lost connection is a gap."""

    def __init__(self, link: Link, patterns: Sequence[str], mailbox: Mailbox) -> None:
        super().__init__(link, name=f"exchange {EVENTS_EXCHANGE}")
        self._patterns = tuple(patterns)
        self._mailbox = mailbox

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(super().run())
            tasks.create_task(self._mailbox.run(self.stopping))

    async def work(self, intake: Intake) -> None:
        queue = await intake.channel.declare_queue(
            exclusive=True, auto_delete=True, timeout=OPERATION_SECONDS
        )
        for pattern in self._patterns:
            await queue.bind(EVENTS_EXCHANGE, routing_key=pattern, timeout=OPERATION_SECONDS)
        # Unacknowledged, as nothing is kept for a listener anyway; the mailbox bounds the memory.
        await intake.consume(queue.name, no_ack=True)
        if self.is_late:
            self._mailbox.report_gap()
        self.is_set_up()
        while message := await intake.next(self.stopping):
            self._mailbox.offer(envelope.delivered(message, queue=""))

"""Stopping several consumers together, within a deadline."""

import asyncio
from collections.abc import Sequence

import structlog

from libs.common.messaging.bus.protocol import Subscription

log = structlog.get_logger(__name__)

#: Longer than nearly every photo takes, shorter than Kubernetes' usual patience of 30 s.
STOP_DEADLINE_SECONDS = 20.0


async def stop_all(
    subscriptions: Sequence[Subscription], *, deadline_seconds: float = STOP_DEADLINE_SECONDS
) -> None:
    """Let all finish the message in hand; what is not done by the deadline goes back."""
    try:
        async with asyncio.timeout(deadline_seconds):
            await asyncio.gather(*(subscription.stop() for subscription in subscriptions))
    except TimeoutError:
        log.warning("work_returned_at_shutdown", deadline_seconds=deadline_seconds)

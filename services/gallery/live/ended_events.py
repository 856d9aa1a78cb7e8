"""Live streams of guests end with their event; who runs it goes on watching."""

import asyncio
from typing import NoReturn

from libs.common.rights.event_ends import EventEnds
from services.gallery.live.updates import LiveUpdates

LOOK_EVERY_SECONDS = 1.0
#: A known end may have been moved; a message tells of that, unless it is lost.
ASK_AGAIN_SECONDS = 5.0


async def end_with_events(live: LiveUpdates, ends: EventEnds) -> NoReturn:
    """End guests' streams at the moment of their event's end, until cancelled."""
    while True:
        pause = LOOK_EVERY_SECONDS
        for event_id in live.guests():
            end = await ends.of(event_id, fresh_seconds=ASK_AGAIN_SECONDS)
            if end is None or not end.exists:
                continue
            state = ends.state(end)
            if state.is_over or state.is_erased:
                live.expire(event_id)
            else:
                pause = min(pause, max(0.0, ends.seconds_left(end)))
        await asyncio.sleep(pause)

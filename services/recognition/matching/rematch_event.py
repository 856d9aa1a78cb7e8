"""Match all selfies of an event with all its faces again, for a new threshold or a repair."""

from libs.common.messaging.messages import RematchRequested
from services.recognition.indexes.embedded import repository as face_sets
from services.recognition.matching import repository as stored_matches
from services.recognition.matching.finish import finish_selfies
from services.recognition.matching.match_photo import Matcher

#: Selfies, with a message to each guest, of one transaction.
SELFIES_AT_ONCE = 1_000


async def rematch_event(message: RematchRequested, *, using: Matcher) -> None:
    """Write what is to be kept by now, remove what is below, and tell every guest."""
    event_id = message.event_id
    least = await using.least_similarity(event_id)
    async with using.database.read() as connection:
        selfie_ids = await face_sets.live_selfie_ids(connection, event_id, engine=using.index.name)
    async for found in using.index.match(event_id, selfie_ids=selfie_ids, threshold=least):
        async for attempt in using.database.attempts():
            async with attempt as unit:
                await stored_matches.upsert(unit.connection, event_id, found)
    async for attempt in using.database.attempts():
        async with attempt as unit:
            await stored_matches.delete_below(unit.connection, event_id, least)
    for first in range(0, len(selfie_ids), SELFIES_AT_ONCE):
        chunk = selfie_ids[first : first + SELFIES_AT_ONCE]
        async for attempt in using.database.attempts():
            async with attempt as unit:
                await finish_selfies(event_id, chunk, unit=unit)

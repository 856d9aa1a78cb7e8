"""Match an analysed photo's faces with the event's selfies, or all of an event again.

The faces were committed before this looks at the selfies, and a selfie's embedding is
committed before its own scan looks at the faces: whichever commits later sees the other.
"""

from dataclasses import dataclass

from libs.common.database.database import Database
from libs.common.messaging.messages import PhotoAnalyzed, RematchRequested
from libs.common.telemetry import tracing
from services.recognition.indexes.embedded import repository as face_sets
from services.recognition.indexes.face_index import FaceIndex
from services.recognition.matching import repository as stored_matches
from services.recognition.matching.finish import finish_photos, finish_selfies
from services.recognition.photos import repository

#: Selfies, with a message to each guest, of one transaction.
SELFIES_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Matcher:
    """The collaborators of the matching use cases."""

    database: Database
    index: FaceIndex

    async def least_similarity(self, event_id: int) -> float:
        """Return the similarity from which a match is kept in this event."""
        async with self.database.read() as connection:
            return await stored_matches.least_similarity(connection, event_id)


async def match_photo(message: PhotoAnalyzed, *, using: Matcher) -> None:
    """Write the photo's matches and mark it done; a second run changes nothing."""
    tracing.set_attributes(
        event_id=message.event_id, photo_id=message.photo_id, engine=using.index.name
    )
    async with using.database.read() as connection:
        photo = await repository.find_photo(connection, message.photo_id)
    if photo is None or not photo.waits_for(using.index.name):
        # One of another engine: a replica that is newer or older is at work. See `reindex`.
        return
    least = await using.least_similarity(photo.event_id)
    with tracing.detail("match"):
        matching = using.index.match(photo.event_id, photo_ids=[photo.id], threshold=least)
        found = [match async for some in matching for match in some]
    async for attempt in using.database.attempts():
        async with attempt as unit:
            await stored_matches.upsert(unit.connection, photo.event_id, found)
            await finish_photos([photo], unit=unit)


async def rematch_event(message: RematchRequested, *, using: Matcher) -> None:
    """Match all selfies of the event with all its faces, for a new threshold or a repair.

    Writes what is to be kept by now, removes what is below, and tells every guest.
    """
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

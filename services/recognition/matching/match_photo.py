"""Match an analysed photo's faces with the event's selfies.

The faces were committed before this looks at the selfies, and a selfie's embedding is
committed before its own scan looks at the faces: whichever commits later sees the other.
"""

from dataclasses import dataclass

from libs.common.database.database import Database
from libs.common.messaging.messages import PhotoAnalyzed
from libs.common.telemetry import tracing
from services.recognition.indexes.face_index import FaceIndex
from services.recognition.matching import repository as stored_matches
from services.recognition.matching.finish import finish_photos
from services.recognition.photos import repository


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
        # One of another engine: a replica that is newer or older is at work. See reindex.py.
        return
    least = await using.least_similarity(photo.event_id)
    with tracing.detail("match"):
        matching = using.index.match(photo.event_id, photo_ids=[photo.id], threshold=least)
        found = [match async for some in matching for match in some]
    async with using.database.unit_of_work() as unit:
        await stored_matches.upsert(unit.connection, photo.event_id, found)
        await finish_photos([photo], unit=unit)

"""Match an analysed photo's faces with the event's selfies.

The faces were committed before this looks at the selfies, and a selfie's embedding is
committed before its own scan looks at the faces: whichever commits later sees the other.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from libs.common.database import Database
from libs.common.messages import PhotoAnalyzed, PhotoMatched
from services.recognition import metrics, repository
from services.recognition.engine.profiles import EngineProfile
from services.recognition.matching import best_matches
from services.recognition.selfie_cache import SelfieCache


@dataclass(frozen=True, slots=True)
class Matcher:
    """The collaborators of the matching use cases."""

    database: Database
    selfies: SelfieCache
    default_threshold: float
    engine: EngineProfile

    async def threshold(self, event_id: int) -> float:
        """Return the similarity from which a face is a guest's in this event."""
        async with self.database.read() as connection:
            own = await repository.event_threshold(connection, event_id)
        return self.default_threshold if own is None else own


async def match_photo(message: PhotoAnalyzed, *, using: Matcher) -> None:
    """Write the photo's matches and mark it done; a second run changes nothing."""
    async with using.database.read() as connection:
        photo = await repository.find_photo(connection, message.photo_id)
        if photo is None or photo.status != "analyzed":
            return
        faces = await repository.faces_of_photo(connection, photo.id, engine=using.engine)
    selfies = await using.selfies.current(using.database, photo.event_id)
    threshold = await using.threshold(photo.event_id)
    found = best_matches(selfies, faces, threshold=threshold, calibration=using.engine.calibration)
    async with using.database.unit_of_work() as unit:
        await repository.upsert_matches(unit.connection, photo.event_id, found)
        await repository.mark_photo_done(unit.connection, photo.id)
        unit.publish(
            PhotoMatched(
                event_id=photo.event_id,
                photo_id=photo.id,
                user_ids=tuple(match.user_id for match in found),
            )
        )
    metrics.MATCHES.inc(len(found))
    metrics.MATCH_LATENCY.observe((datetime.now(UTC) - photo.uploaded_at).total_seconds())

"""Match all selfies of an event with all its faces again, for a new threshold or a repair."""

from libs.common.messages import RematchRequested, SelfieMatched
from services.recognition import repository, selfie_claims
from services.recognition.match_photo import Matcher
from services.recognition.matching import best_matches


async def rematch_event(message: RematchRequested, *, using: Matcher) -> None:
    """Write what is at or above the threshold, remove what is below, and tell every guest."""
    event_id = message.event_id
    threshold = await using.threshold(event_id)
    selfies = await using.selfies.current(using.database, event_id)
    async with using.database.read() as connection:
        async for faces in repository.scan_faces(connection, event_id, engine=using.engine):
            found = best_matches(
                selfies, faces, threshold=threshold, calibration=using.engine.calibration
            )
            async with using.database.unit_of_work() as unit:
                await repository.upsert_matches(unit.connection, event_id, found)
    async with using.database.unit_of_work() as unit:
        await repository.delete_matches_below(unit.connection, event_id, threshold)
        for selfie_id, user_id in zip(
            selfies.selfie_ids.tolist(), selfies.user_ids.tolist(), strict=True
        ):
            matched = await selfie_claims.finish_selfie(
                unit.connection, selfie_id=selfie_id, event_id=event_id
            )
            if matched is not None:
                unit.publish(
                    SelfieMatched(
                        event_id=event_id, user_id=user_id, selfie_id=selfie_id, matched=matched
                    )
                )

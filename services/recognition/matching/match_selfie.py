"""Index a guest's selfie once, then match it with every face the event already has."""

from libs.common.messaging.messages import SelfieUploaded
from libs.common.telemetry import tracing
from services.recognition import metrics
from services.recognition.indexes.face_index import SelfieKey
from services.recognition.matching import repository as stored_matches
from services.recognition.matching.finish import finish_selfies
from services.recognition.selfies.index_selfie import SelfieIndexer, index_selfie


async def match_selfie(
    message: SelfieUploaded, *, last_attempt: bool, using: SelfieIndexer
) -> None:
    """Index and match the selfie in the message's event.

    Raises Unavailable while another replica holds the claim: it may have died.
    """
    event_id, selfie_id = message.event_id, message.selfie_id
    tracing.set_attributes(event_id=event_id, engine=using.matcher.index.name)
    selfie = SelfieKey(event_id, message.user_id, selfie_id)
    if not await index_selfie(selfie, last_attempt=last_attempt, using=using):
        return
    matcher = using.matcher
    least = await matcher.least_similarity(event_id)
    async for found in matcher.index.match(event_id, selfie_ids=[selfie_id], threshold=least):
        async with matcher.database.unit_of_work() as unit:
            await stored_matches.upsert(unit.connection, event_id, found)
        metrics.MATCHES.inc(len(found))
    async with matcher.database.unit_of_work() as unit:
        await finish_selfies(event_id, [selfie_id], unit=unit)

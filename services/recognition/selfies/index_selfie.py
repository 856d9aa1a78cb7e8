"""Index a guest's selfie in one event, once, whichever replica gets the message, and match it."""

from contextlib import aclosing
from dataclasses import dataclass

import structlog

from libs.common.database.sqlstates import is_away
from libs.common.errors import PermanentError, Unavailable
from libs.common.messaging.messages import SelfieMatched, SelfieUploaded
from libs.common.storage.protocol import ObjectNotFound, ObjectStore
from libs.common.telemetry import tracing
from libs.common.workers.process import WorkerNotStarted, WorkersStopped
from services.recognition import metrics
from services.recognition.erasure import repository as removals
from services.recognition.indexes.face_index import FaceKey, SelfieKey
from services.recognition.matching import repository as stored_matches
from services.recognition.matching.match import Matcher, finish_selfies
from services.recognition.selfies import repository as selfie_repository
from services.recognition.selfies.repository import Claim, ClaimOutcome

log = structlog.get_logger(__name__)

MISSING_REASON = "The selfie's file is missing from the store. Send it again."
#: The error itself is in the log and with the dead letter: it is not for guests.
REPEATED_REASON = "The selfie could not be processed, in several attempts. Send it again."


@dataclass(frozen=True, slots=True)
class SelfieIndexer:
    """The collaborators of the use case; `claimant` names this process."""

    matcher: Matcher
    store: ObjectStore
    claimant: str
    lease_seconds: float
    replica_lease_seconds: float


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
    # Closed when a transaction fails, so that the scan's connection is free at once.
    async with aclosing(
        matcher.index.match(event_id, selfie_ids=[selfie_id], threshold=least)
    ) as matching:
        async for found in matching:
            async for attempt in matcher.database.attempts():
                async with attempt as unit:
                    await stored_matches.upsert(unit.connection, event_id, found)
            metrics.MATCHES.inc(len(found))
    async for attempt in matcher.database.attempts():
        async with attempt as unit:
            await finish_selfies(event_id, [selfie_id], unit=unit)


async def index_selfie(selfie: SelfieKey, *, last_attempt: bool, using: SelfieIndexer) -> bool:
    """Claim and index the selfie; return whether it is indexed and waits to be matched.

    Raises Unavailable while another replica holds the claim: it may have died.
    """
    claim = Claim(ClaimOutcome.GONE)
    async for attempt in using.matcher.database.attempts():
        async with attempt as unit:
            claim = await selfie_repository.claim_selfie(
                unit.connection,
                selfie_id=selfie.selfie_id,
                event_id=selfie.event_id,
                claimant=using.claimant,
                lease_seconds=using.lease_seconds,
                replica_lease_seconds=using.replica_lease_seconds,
                engine=using.matcher.index.name,
            )
    match claim.outcome:
        case ClaimOutcome.GONE | ClaimOutcome.FINISHED:
            metrics.SELFIES_INDEXED.labels("skipped").inc()
            return False
        case ClaimOutcome.BUSY:
            msg = f"selfie {selfie.selfie_id} is being indexed by another replica"
            raise Unavailable(msg)
        case ClaimOutcome.CLAIMED:
            return await _index(selfie, claim, using, last_attempt=last_attempt)
        case ClaimOutcome.INDEXED:
            return True


async def _index(
    selfie: SelfieKey, claim: Claim, using: SelfieIndexer, *, last_attempt: bool
) -> bool:
    """Find and commit the face; False when the selfie cannot be used."""
    matcher = using.matcher
    async with matcher.database.read() as connection:
        # Computed once, mostly by the check before the upload, however many the guest's events.
        # (A service's ids are an event's own.)
        embedding = await selfie_repository.known_embedding(
            connection, selfie.selfie_id, engine=matcher.index.name
        )
    if embedding is not None:
        key = FaceKey(embedding=embedding)
    else:
        try:
            async with using.store.local_file(claim.object_key) as path:
                key = await matcher.index.index_selfie(selfie, path)
        except ObjectNotFound:
            await _fail(selfie, MISSING_REASON, using)
            return False
        except PermanentError as error:
            await _fail(selfie, str(error), using)
            return False
        except (Unavailable, WorkerNotStarted, WorkersStopped):
            raise
        except Exception as error:
            if last_attempt and not is_away(error):
                await _fail(selfie, REPEATED_REASON, using)
            raise
    is_saved = False
    async for attempt in matcher.database.attempts():
        async with attempt as unit:
            is_saved = await selfie_repository.save_face_key(
                unit.connection,
                selfie_id=selfie.selfie_id,
                event_id=selfie.event_id,
                key=key,
                engine=matcher.index.name,
            )
            if not is_saved:
                await removals.add(unit.connection, selfie.event_id, [key])
    if is_saved:
        await matcher.index.remove_leftovers(selfie, [key], is_repeat=claim.is_repeat)
        metrics.SELFIES_INDEXED.labels("indexed").inc()
    return is_saved


async def _fail(selfie: SelfieKey, error: str, using: SelfieIndexer) -> None:
    message = SelfieMatched(
        event_id=selfie.event_id, user_id=selfie.user_id, selfie_id=selfie.selfie_id, matched=0
    )
    async for attempt in using.matcher.database.attempts():
        async with attempt as unit:
            await selfie_repository.fail_selfie(
                unit.connection,
                selfie_id=selfie.selfie_id,
                event_id=selfie.event_id,
                error=error,
                engine=using.matcher.index.name,
            )
            unit.publish(message)
    metrics.SELFIES_INDEXED.labels("failed").inc()
    log.warning("selfie_failed", selfie_id=selfie.selfie_id, reason=error)

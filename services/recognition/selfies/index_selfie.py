"""Index a guest's selfie in one event, once, whichever replica gets the message, and match it."""

from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

import structlog

from libs.common.database.sqlstates import is_away
from libs.common.errors import PermanentError, Unavailable
from libs.common.exhaustion import lacks
from libs.common.messaging.messages import SelfieMatched, SelfieUploaded
from libs.common.storage.protocol import ObjectNotFound, ObjectStore
from libs.common.storage.whole_file import NotAsUploaded, whole_file
from libs.common.telemetry import tracing
from libs.common.workers.process import WorkerCrashed
from libs.common.workers.strikes import Strikes
from libs.common.workers.trial import WorkerOverwhelmed
from services.recognition import metrics
from services.recognition.erasure import repository as removals
from services.recognition.indexes.face_index import FaceKey, SelfieKey
from services.recognition.matching import repository as stored_matches
from services.recognition.matching.match import Matcher, finish_selfies
from services.recognition.renewal import renewed
from services.recognition.selfies import repository as selfie_repository
from services.recognition.selfies.repository import Claim, ClaimOutcome

log = structlog.get_logger(__name__)

#: A selfie is given up after it has overwhelmed its workers so often.
MAX_OVERWHELMING = 3
MISSING_REASON = "The selfie's file is missing from the store. Send it again."
NOT_AS_UPLOADED_REASON = "The selfie's file in the store is not what you sent. Send it again."
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
    strikes: Strikes[SelfieKey] = field(default_factory=lambda: Strikes(MAX_OVERWHELMING))


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
            renew = partial(
                selfie_repository.renew_claim,
                selfie_id=selfie.selfie_id,
                event_id=selfie.event_id,
                claimant=using.claimant,
            )
            async with renewed(
                renew, database=using.matcher.database, lease_seconds=using.lease_seconds
            ):
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
    key = (
        FaceKey(embedding=embedding)
        if embedding is not None
        else await _find(selfie, claim, using, last_attempt=last_attempt)
    )
    if key is None:
        return False
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


async def _find(
    selfie: SelfieKey, claim: Claim, using: SelfieIndexer, *, last_attempt: bool
) -> FaceKey | None:
    """Find the face; None once the selfie is failed. Raises what may pass, or is to be kept."""
    try:
        async with whole_file(using.store.local_file, claim.object_key, claim.content) as path:
            key = await using.matcher.index.index_selfie(selfie, path)
    except ObjectNotFound:
        await _fail(selfie, MISSING_REASON, using)
        return None
    except PermanentError as error:
        await _fail(selfie, str(error), using)
        return None
    except (WorkerCrashed, WorkerOverwhelmed) as error:
        # Its partition waits behind it: that must have an end.
        if isinstance(error, WorkerOverwhelmed) and not using.strikes.is_out(selfie):
            raise
        await _fail(selfie, REPEATED_REASON, using)
        msg = f"selfie {selfie.selfie_id} failed in its workers: {error}"
        raise PermanentError(msg) from error
    except NotAsUploaded:
        if last_attempt:
            await _fail(selfie, NOT_AS_UPLOADED_REASON, using)
        raise
    except Exception as error:
        passes = isinstance(error, Unavailable) or lacks(error) is not None or is_away(error)
        if last_attempt and not passes:
            await _fail(selfie, REPEATED_REASON, using)
        raise
    using.strikes.forget(selfie)
    return key


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

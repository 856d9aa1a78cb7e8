"""Index a guest's selfie in one event, once, whichever replica gets the message, and match it.

A match partition only compares. What a selfie is found by is known, mostly, from the check before
its upload. Where it is not (the engine has changed, or is a service that indexes event by event),
the partition passes the selfie on to those that look at it, and matches it when that is done.
"""

from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

import structlog

from libs.common.database.sqlstates import is_away
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import PermanentError, Unavailable
from libs.common.exhaustion import lacks
from libs.common.messaging.messages import SelfieMatched, SelfieUnindexed, SelfieUploaded
from libs.common.storage.protocol import ObjectNotFound, ObjectStore
from libs.common.storage.whole_file import NotAsUploaded, whole_file
from libs.common.telemetry import tracing
from libs.common.workers.errors import WorkerCrashed
from libs.common.workers.strikes import Strikes
from libs.common.workers.trial import WorkerOverwhelmed
from services.recognition import metrics
from services.recognition.erasure import repository as removals
from services.recognition.indexes.face_index import FaceKey, SelfieKey
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
    #: Of this process, whose claims do not keep itself away.
    in_hand: set[SelfieKey] = field(default_factory=set)
    strikes: Strikes[SelfieKey] = field(default_factory=lambda: Strikes(MAX_OVERWHELMING))


async def match_selfie(message: SelfieUploaded, *, using: SelfieIndexer) -> None:
    """Match the selfie in the message's event, once it is indexed there."""
    event_id, selfie_id = message.event_id, message.selfie_id
    tracing.set_attributes(event_id=event_id, engine=using.matcher.index.name)
    if not await is_indexed(SelfieKey(event_id, message.user_id, selfie_id), using=using):
        return
    matcher = using.matcher
    least = await matcher.least_similarity(event_id)
    # Closed when a transaction fails, so that the scan's connection is free at once.
    async with aclosing(
        matcher.index.match(event_id, selfie_ids=[selfie_id], threshold=least)
    ) as matching:
        async for found in matching:
            await matcher.keep(event_id, found, least=least)
            metrics.MATCHES.inc(len(found))
    async for attempt in matcher.database.attempts():
        async with attempt as unit:
            await finish_selfies(event_id, [selfie_id], unit=unit)


async def is_indexed(selfie: SelfieKey, *, using: SelfieIndexer) -> bool:
    """Whether the selfie is indexed and waits to be matched, if need be by what is known of it.

    Else it has been dealt with, or is passed on to be looked at.
    """
    outcome = ClaimOutcome.GONE
    async for attempt in using.matcher.database.attempts():
        async with attempt as unit:
            outcome = await _take_known(selfie, unit, using)
            if outcome is ClaimOutcome.BUSY:
                unit.publish(
                    SelfieUnindexed(
                        event_id=selfie.event_id,
                        user_id=selfie.user_id,
                        selfie_id=selfie.selfie_id,
                    )
                )
    match outcome:
        case ClaimOutcome.CLAIMED:
            metrics.SELFIES_INDEXED.labels("indexed").inc()
        case ClaimOutcome.GONE | ClaimOutcome.FINISHED:
            metrics.SELFIES_INDEXED.labels("skipped").inc()
    return outcome in (ClaimOutcome.CLAIMED, ClaimOutcome.INDEXED)


async def _take_known(selfie: SelfieKey, unit: UnitOfWork, using: SelfieIndexer) -> ClaimOutcome:
    """Index the selfie by its known embedding; BUSY where somebody has yet to find it."""
    engine = using.matcher.index.name
    embedding = await selfie_repository.known_embedding(
        unit.connection, selfie.selfie_id, engine=engine
    )
    if embedding is None:
        found = await selfie_repository.find_outcome(
            unit.connection, selfie_id=selfie.selfie_id, event_id=selfie.event_id, engine=engine
        )
        return ClaimOutcome.BUSY if found is ClaimOutcome.GONE else found
    claim = await _claim(selfie, unit, using)
    if claim.outcome is ClaimOutcome.CLAIMED:
        await selfie_repository.save_face_key(
            unit.connection,
            selfie_id=selfie.selfie_id,
            event_id=selfie.event_id,
            key=FaceKey(embedding=embedding),
            engine=engine,
        )
    return claim.outcome


async def find_selfie(
    message: SelfieUnindexed, *, last_attempt: bool, using: SelfieIndexer
) -> None:
    """Find the selfie's face and index it; then its partition is told again.

    Raises Unavailable while somebody else has it in hand, who may be dying with it.
    """
    tracing.set_attributes(event_id=message.event_id, engine=using.matcher.index.name)
    selfie = SelfieKey(message.event_id, message.user_id, message.selfie_id)
    if selfie in using.in_hand:
        raise _busy(selfie)
    using.in_hand.add(selfie)
    try:
        await index_selfie(selfie, last_attempt=last_attempt, using=using)
    finally:
        using.in_hand.discard(selfie)


async def index_selfie(selfie: SelfieKey, *, last_attempt: bool, using: SelfieIndexer) -> bool:
    """Claim and index the selfie; return whether it is indexed and waits to be matched.

    That is told to its partition in the same transaction; of one that was indexed before, once
    more, as nobody knows whether that message came.

    Raises Unavailable while another replica holds the claim: it may have died.
    """
    claim = Claim(ClaimOutcome.GONE)
    async for attempt in using.matcher.database.attempts():
        async with attempt as unit:
            claim = await _claim(selfie, unit, using)
            if claim.outcome is ClaimOutcome.INDEXED:
                unit.publish(_indexed(selfie))
    match claim.outcome:
        case ClaimOutcome.GONE | ClaimOutcome.FINISHED:
            metrics.SELFIES_INDEXED.labels("skipped").inc()
            return False
        case ClaimOutcome.BUSY:
            raise _busy(selfie)
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


async def _claim(selfie: SelfieKey, unit: UnitOfWork, using: SelfieIndexer) -> Claim:
    return await selfie_repository.claim_selfie(
        unit.connection,
        selfie_id=selfie.selfie_id,
        event_id=selfie.event_id,
        claimant=using.claimant,
        lease_seconds=using.lease_seconds,
        replica_lease_seconds=using.replica_lease_seconds,
        engine=using.matcher.index.name,
    )


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
            if is_saved:
                unit.publish(_indexed(selfie))
            else:
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
        # That must have an end.
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


def _indexed(selfie: SelfieKey) -> SelfieUploaded:
    return SelfieUploaded(
        event_id=selfie.event_id, user_id=selfie.user_id, selfie_id=selfie.selfie_id
    )


def _busy(selfie: SelfieKey) -> Unavailable:
    return Unavailable(f"selfie {selfie.selfie_id} is being indexed by somebody else")


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

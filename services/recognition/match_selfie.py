"""Index a guest's selfie once, then match it with every face the event already has."""

from dataclasses import dataclass

import structlog

from libs.common.database import Database
from libs.common.errors import PermanentError, Unavailable
from libs.common.messages import SelfieMatched, SelfieUploaded
from libs.common.storage.protocol import ObjectNotFound, ObjectStore
from services.recognition import metrics, repository, selfie_claims
from services.recognition.engine.similarity import to_bytes
from services.recognition.engine.workers import WorkerPool
from services.recognition.match_photo import Matcher
from services.recognition.matching import best_matches
from services.recognition.selfie_claims import ClaimOutcome

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SelfieIndexer:
    """The collaborators of the use case; `claimant` names this process."""

    matcher: Matcher
    store: ObjectStore
    pool: WorkerPool
    claimant: str
    lease_seconds: float
    replica_lease_seconds: float

    @property
    def database(self) -> Database:
        """The database, which the matcher uses too."""
        return self.matcher.database


async def match_selfie(
    message: SelfieUploaded, *, last_attempt: bool, using: SelfieIndexer
) -> None:
    """Index and match the selfie in the message's event.

    Raises Unavailable while another replica holds the claim: it may have died.
    """
    async with using.database.unit_of_work() as unit:
        claim = await selfie_claims.claim_selfie(
            unit.connection,
            selfie_id=message.selfie_id,
            event_id=message.event_id,
            claimant=using.claimant,
            lease_seconds=using.lease_seconds,
            replica_lease_seconds=using.replica_lease_seconds,
        )
    match claim.outcome:
        case ClaimOutcome.GONE | ClaimOutcome.FINISHED:
            metrics.SELFIES_INDEXED.labels("skipped").inc()
            return
        case ClaimOutcome.BUSY:
            msg = f"selfie {message.selfie_id} is being indexed by another replica"
            raise Unavailable(msg)
        case ClaimOutcome.CLAIMED:
            if not await _index(message, claim.object_key, using, last_attempt=last_attempt):
                return
        case ClaimOutcome.INDEXED:
            pass
    await _match(message, using)


async def _index(
    message: SelfieUploaded, object_key: str, using: SelfieIndexer, *, last_attempt: bool
) -> bool:
    """Compute and commit the embedding; False when the selfie cannot be used."""
    async with using.database.read() as connection:
        embedding = await selfie_claims.embedding_elsewhere(
            connection, message.selfie_id, engine=using.matcher.engine.name
        )
    if embedding is None:
        try:
            embedding = await _embed(object_key, using)
        except (PermanentError, ObjectNotFound) as error:
            await _fail(message, str(error), using)
            return False
        except Unavailable:
            raise
        except Exception as error:
            if last_attempt:
                await _fail(message, f"The analysis failed repeatedly: {error}", using)
            raise
    async with using.database.unit_of_work() as unit:
        await selfie_claims.save_embedding(
            unit.connection,
            selfie_id=message.selfie_id,
            event_id=message.event_id,
            embedding=embedding,
            engine=using.matcher.engine.name,
        )
    metrics.SELFIES_INDEXED.labels("indexed").inc()
    return True


async def _embed(object_key: str, using: SelfieIndexer) -> bytes:
    async with using.store.local_file(object_key) as path:
        metrics.ENGINE_CALLS.labels("index_selfie").inc()
        analysis = await using.pool.analyze(path)
    if not analysis.faces:
        msg = "No face was found in the selfie. Send another one."
        raise PermanentError(msg)
    # People in the background of an accepted selfie are much smaller than its owner.
    return to_bytes(max(analysis.faces, key=lambda face: face.width * face.height).embedding)


async def _match(message: SelfieUploaded, using: SelfieIndexer) -> None:
    engine = using.matcher.engine
    threshold = await using.matcher.threshold(message.event_id)
    async with using.database.read() as connection:
        selfie = await repository.load_selfies(
            connection, message.event_id, [message.selfie_id], engine=engine
        )
        async for faces in repository.scan_faces(connection, message.event_id, engine=engine):
            found = best_matches(selfie, faces, threshold=threshold, calibration=engine.calibration)
            async with using.database.unit_of_work() as unit:
                await repository.upsert_matches(unit.connection, message.event_id, found)
            metrics.MATCHES.inc(len(found))
    async with using.database.unit_of_work() as unit:
        matched = await selfie_claims.finish_selfie(
            unit.connection, selfie_id=message.selfie_id, event_id=message.event_id
        )
        if matched is not None:
            unit.publish(
                SelfieMatched(
                    event_id=message.event_id,
                    user_id=message.user_id,
                    selfie_id=message.selfie_id,
                    matched=matched,
                )
            )


async def _fail(message: SelfieUploaded, error: str, using: SelfieIndexer) -> None:
    async with using.database.unit_of_work() as unit:
        await selfie_claims.fail_selfie(
            unit.connection,
            selfie_id=message.selfie_id,
            event_id=message.event_id,
            error=error,
        )
        unit.publish(
            SelfieMatched(
                event_id=message.event_id,
                user_id=message.user_id,
                selfie_id=message.selfie_id,
                matched=0,
            )
        )
    metrics.SELFIES_INDEXED.labels("failed").inc()
    log.warning("selfie_failed", selfie_id=message.selfie_id, reason=error)

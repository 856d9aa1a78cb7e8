"""Judge a would-be selfie by the faces in it."""

from pathlib import Path

from libs.common.errors import PermanentError
from libs.common.face_check import FaceVerdict
from libs.common.workers.process import WorkerCrashed
from services.recognition import metrics
from services.recognition.engine.analysis import PhotoAnalysis
from services.recognition.engine.detect.selfie_check import check_selfie
from services.recognition.engine.embed.similarity import to_bytes
from services.recognition.engine.workers import EnginePool

UNREADABLE = "This picture cannot be read. Send another one."


async def check_face(path: Path, *, pool: EnginePool, engine: str | None) -> FaceVerdict:
    """Detect faces in a worker and apply the rule for selfies.

    `engine` is the name of the pool's engine where embeddings of its are matched, None where it
    only judges. Raises what may pass (WorkerTimedOut).
    """
    metrics.ENGINE_CALLS.labels("check_face").inc()
    try:
        analysis = await _analyze(path, pool)
    except PermanentError as error:
        return FaceVerdict(valid=False, reason=str(error))
    verdict = check_selfie(analysis.width, analysis.height, analysis.faces)
    if verdict.face is None:
        return FaceVerdict(valid=False, reason=verdict.problem)
    if engine is None:
        return FaceVerdict(valid=True)
    embedding = to_bytes(analysis.faces[verdict.face].embedding)
    return FaceVerdict(valid=True, engine=engine, embedding=embedding)


async def _analyze(path: Path, pool: EnginePool) -> PhotoAnalysis:
    """As a photo, a picture that kills its worker is tried once more: the machine may be to blame.

    Raises PermanentError, with a sentence for the guest, when it does so again.
    """
    try:
        return await pool.run(path)
    except WorkerCrashed:
        try:
            return await pool.run(path)
        except WorkerCrashed as error:
            raise PermanentError(UNREADABLE) from error

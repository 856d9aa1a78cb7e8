"""Judge a would-be selfie by the faces in it."""

from pathlib import Path

from pydantic import BaseModel

from libs.common.errors import PermanentError
from services.recognition import metrics
from services.recognition.engine.detect.selfie_check import check_selfie
from services.recognition.engine.workers import EnginePool


class FaceVerdict(BaseModel):
    """The answer; `reason` is the sentence for the guest when it is no."""

    valid: bool
    reason: str | None = None


async def check_face(path: Path, *, pool: EnginePool) -> FaceVerdict:
    """Detect faces in a worker and apply the rule for selfies.

    Raises what may pass (WorkerCrashed, WorkerTimedOut).
    """
    metrics.ENGINE_CALLS.labels("check_face").inc()
    try:
        analysis = await pool.run(path)
    except PermanentError as error:
        return FaceVerdict(valid=False, reason=str(error))
    verdict = check_selfie(analysis.width, analysis.height, analysis.faces)
    return FaceVerdict(valid=verdict.accepted, reason=verdict.problem)

"""The face check that ingest asks for before it takes a selfie."""

import tempfile
from pathlib import Path

from fastapi import APIRouter, Depends, Request

from libs.common.errors import PermanentError, TooLarge
from libs.common.face_check import FACE_CHECK_PATH, FaceVerdict
from libs.common.web.internal import require_internal
from libs.common.workers.process import WorkerCrashed
from services.recognition import metrics
from services.recognition.engine.detect.selfie_check import check_selfie
from services.recognition.engine.face_engine import PROFILES, to_bytes
from services.recognition.engine.workers import EnginePool
from services.recognition.indexes.face_index import FaceIndex

MAX_SELFIE_BYTES = 5 * 1024 * 1024
UNREADABLE = "This picture cannot be read. Send another one."

router = APIRouter(include_in_schema=False)


@router.post(FACE_CHECK_PATH, dependencies=[Depends(require_internal)])
async def face_check(request: Request) -> FaceVerdict:
    """Say whether the body, an image, can serve as a selfie, and what its face is found by."""
    pool: EnginePool = request.app.state.pool
    index: FaceIndex = request.app.state.index
    # A paid service finds faces by ids of its own: ours only judge there.
    engine = index.name if index.name in PROFILES else None
    with tempfile.NamedTemporaryFile(prefix="findme-selfie-") as file:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_SELFIE_BYTES:
                msg = "The selfie is larger than 5 MB. Send a smaller one."
                raise TooLarge(msg)
            file.write(chunk)
        file.flush()
        return await verdict_on(Path(file.name), pool=pool, engine=engine)


async def verdict_on(path: Path, *, pool: EnginePool, engine: str | None) -> FaceVerdict:
    """Detect faces in a worker and apply the rule for selfies.

    `engine` is the name of the pool's engine where embeddings of its are matched, None where it
    only judges. Raises what may pass (WorkerTimedOut, Unavailable).
    """
    metrics.ENGINE_CALLS.labels("check_face").inc()
    try:
        analysis = await pool.run(path)
    except PermanentError as error:
        return FaceVerdict(valid=False, reason=str(error))
    except WorkerCrashed:
        return FaceVerdict(valid=False, reason=UNREADABLE)
    verdict = check_selfie(analysis.width, analysis.height, analysis.faces)
    if verdict.face is None:
        return FaceVerdict(valid=False, reason=verdict.problem)
    if engine is None:
        return FaceVerdict(valid=True)
    embedding = to_bytes(analysis.faces[verdict.face].embedding)
    return FaceVerdict(valid=True, engine=engine, embedding=embedding)

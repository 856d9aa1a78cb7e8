"""The face check that ingest asks for before it takes a selfie."""

import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from fastapi import APIRouter, Depends, Request

from libs.common.errors import PermanentError, TooLarge
from libs.common.face_check import FACE_CHECK_PATH, FaceVerdict
from libs.common.settings import MEGABYTE
from libs.common.web.internal import require_internal
from libs.common.workers.errors import WorkerCrashed
from libs.common.workers.serving import WorkerError
from services.recognition import metrics
from services.recognition.engine.detect.selfie_check import check_selfie
from services.recognition.engine.face_engine import (
    ENGINE_NAMES,
    PhotoAnalysis,
    Purpose,
    to_bytes,
)
from services.recognition.engine.workers import SELFIES, VISITORS, EnginePool
from services.recognition.indexes.face_index import FaceIndex
from services.recognition.selfies.check_lines import CheckLines
from services.recognition.selfies.kept_checks import Found, KeptChecks, Seal
from services.recognition.settings import RecognitionSettings

UNREADABLE = "This picture cannot be read. Send another one."

#: `run_as` of the workers, of a share of theirs.
Analyze = Callable[[Path, Purpose], Awaitable[PhotoAnalysis]]

router = APIRouter(include_in_schema=False)


@router.post(FACE_CHECK_PATH, dependencies=[Depends(require_internal)])
async def face_check(
    request: Request, *, anonymous: bool = False, will_return: bool = False
) -> FaceVerdict:
    """Say whether the body, an image, can serve as a selfie, and what its face is found by.

    What was found in the same picture a short time ago is not looked for again.
    """
    pool: EnginePool = request.app.state.pool
    index: FaceIndex = request.app.state.index
    kept: KeptChecks = request.app.state.kept_checks
    settings: RecognitionSettings = request.app.state.settings
    # A paid service finds faces by ids of its own: ours only judge there.
    engine = index.name if index.name in ENGINE_NAMES else None
    with tempfile.NamedTemporaryFile(prefix="findme-selfie-") as file:
        size = 0
        picture = Seal()
        async for chunk in request.stream():
            size += len(chunk)
            if size > settings.max_selfie_mb * MEGABYTE:
                msg = f"The selfie is larger than {settings.max_selfie_mb} MB. Send a smaller one."
                raise TooLarge(msg)
            file.write(chunk)
            picture.update(chunk)
        file.flush()
        found = await (kept.find if will_return else kept.take)(picture)
        if found is not None:
            return _verdict(found, engine=engine)
        share = VISITORS if anonymous else SELFIES
        lines: CheckLines = request.app.state.check_lines
        with lines.place(share, size):
            verdict = await verdict_on(Path(file.name), partial(pool.run_as, share), engine=engine)
    if will_return and verdict.valid:
        await kept.keep(picture, Found(verdict.embedding))
    return verdict


async def verdict_on(path: Path, analyze: Analyze, *, engine: str | None) -> FaceVerdict:
    """Detect faces in a worker and apply the rule for selfies.

    `engine` is the name of the pool's engine where embeddings of its are matched, None where it
    only judges. Raises what may pass (WorkerTimedOut, Unavailable).
    """
    metrics.ENGINE_CALLS.labels("check_face").inc()
    try:
        analysis = await analyze(path, Purpose.SELFIE)
    except PermanentError as error:
        return FaceVerdict(valid=False, reason=str(error))
    except (WorkerCrashed, WorkerError):
        return FaceVerdict(valid=False, reason=UNREADABLE)
    verdict = check_selfie(analysis.width, analysis.height, analysis.faces)
    if verdict.face is None:
        return FaceVerdict(valid=False, reason=verdict.problem)
    if engine is None:
        return _verdict(Found(None), engine=None)
    return _verdict(Found(to_bytes(analysis.faces[verdict.face].embedding)), engine=engine)


def _verdict(found: Found, *, engine: str | None) -> FaceVerdict:
    if engine is None or found.embedding is None:
        return FaceVerdict(valid=True)
    return FaceVerdict(valid=True, engine=engine, embedding=found.embedding)

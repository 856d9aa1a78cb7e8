"""The face check that ingest asks for before it takes a selfie."""

import tempfile
from pathlib import Path

from fastapi import APIRouter, Depends, Request

from libs.common.errors import TooLarge
from libs.common.face_check import FACE_CHECK_PATH, FaceVerdict
from libs.common.web.internal import require_internal
from services.recognition.engine.profiles import PROFILES
from services.recognition.engine.workers import EnginePool
from services.recognition.indexes.face_index import FaceIndex
from services.recognition.selfies.check_face import check_face

MAX_SELFIE_BYTES = 5 * 1024 * 1024

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
        return await check_face(Path(file.name), pool=pool, engine=engine)

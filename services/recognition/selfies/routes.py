"""The face check that ingest asks for before it takes a selfie."""

import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request

from libs.common.errors import NotAllowed, TooLarge
from libs.common.web.internal import verify_internal_token
from services.recognition.engine.workers import EnginePool
from services.recognition.selfies.check_face import FaceVerdict, check_face

MAX_SELFIE_BYTES = 5 * 1024 * 1024

router = APIRouter(prefix="/internal", include_in_schema=False)


async def require_internal(
    request: Request, x_internal_token: Annotated[str, Header()] = ""
) -> None:
    """Let through only our own services. Raises NotAllowed."""
    secret = request.app.state.settings.secret_key.get_secret_value()
    if not verify_internal_token(x_internal_token, secret):
        msg = "This address is for FindMe's own services."
        raise NotAllowed(msg)


@router.post("/face-check", dependencies=[Depends(require_internal)])
async def face_check(request: Request) -> FaceVerdict:
    """Say whether the body, an image, can serve as a selfie."""
    pool: EnginePool = request.app.state.pool
    with tempfile.NamedTemporaryFile(prefix="findme-selfie-") as file:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_SELFIE_BYTES:
                msg = "The selfie is larger than 5 MB. Send a smaller one."
                raise TooLarge(msg)
            file.write(chunk)
        file.flush()
        return await check_face(Path(file.name), pool=pool)

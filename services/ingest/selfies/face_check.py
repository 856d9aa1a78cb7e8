"""Whether a picture can serve as a selfie: asked of recognition, which has the detector."""

from dataclasses import dataclass, field
from typing import Protocol

import httpx
import structlog
from opentelemetry.trace import SpanKind
from pydantic import ValidationError

from libs.common.errors import InvalidInput, Unavailable
from libs.common.face_check import FACE_CHECK_PATH, FaceVerdict
from libs.common.telemetry import tracing
from libs.common.web.internal import internal_client
from services.ingest.settings import IngestSettings

TIMEOUT_SECONDS = 30.0
UNUSABLE = "No face could be found in this picture. Send another one."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SelfieFace:
    """The face's embedding, and the name of the engine that made it."""

    engine: str
    embedding: bytes = field(repr=False)


class FaceCheck(Protocol):
    """Judges would-be selfies."""

    async def check(self, image: bytes) -> SelfieFace | None:
        """Return the face that was found, None where the deployment matches otherwise.

        Raises InvalidInput, with a sentence for the guest, or Unavailable.
        """


class RecognitionFaceCheck:
    """Asks recognition over HTTP."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def check(self, image: bytes) -> SelfieFace | None:
        verdict = await self._ask(image)
        if not verdict.valid:
            raise InvalidInput(verdict.reason or UNUSABLE)
        if verdict.engine is None or verdict.embedding is None:
            return None
        return SelfieFace(verdict.engine, verdict.embedding)

    async def _ask(self, image: bytes) -> FaceVerdict:
        try:
            with tracing.span("check face", SpanKind.CLIENT):
                headers = {"Content-Type": "application/octet-stream", **tracing.headers()}
                answer = await self._client.post(FACE_CHECK_PATH, content=image, headers=headers)
                answer.raise_for_status()
            return FaceVerdict.model_validate_json(answer.content)
        except (httpx.HTTPError, ValidationError) as error:
            log.warning("face_check_unavailable", error=str(error), kind=type(error).__name__)
            msg = "Selfies cannot be checked at this moment. Try again in a few seconds."
            raise Unavailable(msg) from error


def recognition_client(
    settings: IngestSettings, transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    """Return the one client of the process; `transport` reaches a service without a socket."""
    return internal_client(
        settings.recognition_url,
        secret=settings.secret_key.get_secret_value(),
        timeout_seconds=TIMEOUT_SECONDS,
        transport=transport,
    )

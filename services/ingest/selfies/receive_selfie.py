"""Read a selfie from a request and have it judged; selfies are small, so memory holds them."""

import asyncio
from dataclasses import dataclass, field

import httpx
import structlog
from opentelemetry.trace import SpanKind
from pydantic import ValidationError

from libs.common.errors import InvalidInput, Unavailable
from libs.common.face_check import FACE_CHECK_PATH, FaceVerdict
from libs.common.images.formats import ImageFormat
from libs.common.telemetry import tracing
from libs.common.web.internal import internal_client
from services.ingest.images.header import read_header
from services.ingest.metrics import SELFIES
from services.ingest.request_body import BodyTooLarge, BrokenBody, MultipartReader, in_megabytes
from services.ingest.settings import IngestSettings

FILE_FIELD = "file"
#: All of a selfie must have arrived by then: its sender may be anybody.
BODY_SECONDS = 60.0
#: The answer of recognition must be there by then.
FACE_CHECK_SECONDS = 30.0
UNUSABLE = "No face could be found in this picture. Send another one."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SelfieFace:
    """The face's embedding, and the name of the engine that made it."""

    engine: str
    embedding: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Selfie:
    """A picture that shows one usable face; `face` is what it is found by, where that is known."""

    content: bytes
    format: ImageFormat
    face: SelfieFace | None


class FaceCheck:
    """Judges would-be selfies: asks recognition, which has the detector, over HTTP."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def check(self, image: bytes) -> SelfieFace | None:
        """Return the face that was found, None where the deployment matches otherwise.

        Raises InvalidInput, with a sentence for the guest, or Unavailable.
        """
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
        timeout_seconds=FACE_CHECK_SECONDS,
        transport=transport,
    )


async def receive_selfie(
    parts: MultipartReader, *, max_bytes: int, max_pixels: int, face_check: FaceCheck
) -> Selfie:
    """Raises InvalidInput, with a sentence for the guest, and Unavailable."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            content = await _read_file(parts, max_bytes)
    except BodyTooLarge as error:
        raise _too_large(max_bytes) from error
    except TimeoutError as error:
        msg = "The selfie took too long to arrive. Send a smaller one."
        raise BrokenBody(msg) from error
    try:
        header = await asyncio.to_thread(read_header, content, max_pixels=max_pixels)
        face = await face_check.check(content)
    except InvalidInput:
        SELFIES.labels("refused").inc()
        raise
    return Selfie(content, header.format, face)


async def _read_file(parts: MultipartReader, max_bytes: int) -> bytes:
    while part := await parts.next_part():
        if part.name == FILE_FIELD:
            content = await part.read_prefix(max_bytes + 1)
            if len(content) > max_bytes:
                raise _too_large(max_bytes)
            return content
    msg = "No selfie was sent. Send it as `file` in multipart/form-data."
    raise InvalidInput(msg)


def _too_large(max_bytes: int) -> InvalidInput:
    return InvalidInput(f"The selfie is larger than {in_megabytes(max_bytes)}. Send a smaller one.")

"""Read a selfie from a request and have it judged; selfies are small, so memory holds them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import structlog
from opentelemetry.trace import SpanKind
from pydantic import ValidationError

from libs.common.errors import InvalidInput, Unavailable
from libs.common.face_check import ANONYMOUS, FACE_CHECK_PATH, WILL_RETURN, FaceVerdict
from libs.common.images.formats import TAKEN_AS_SELFIE, ImageFormat
from libs.common.telemetry import tracing
from libs.common.web.internal import internal_client
from services.ingest.byte_source import read_prefix
from services.ingest.images.header import read_header
from services.ingest.metrics import SELFIES
from services.ingest.request_body import (
    BodyTooLarge,
    MultipartReader,
    Part,
    in_megabytes,
)
from services.ingest.settings import IngestSettings

FILE_FIELD = "file"
#: A selfie has its room in memory while it arrives, and its sender may be anybody: slower ones are
#: given up after a minute (UPLOAD_STALL_SECONDS). A quarter of a megabit a second, of which the
#: poorest mobile line has more; a picture of 25 MB over 2 Mbit/s takes 100 s and arrives.
LEAST_BYTES_PER_SECOND = 32 * 1024
#: The answer of recognition must be there by then.
FACE_CHECK_SECONDS = 30.0
RETRY_AFTER_SECONDS = 5
NO_RAW = "A camera's raw file cannot be taken as a selfie. Send a JPEG, PNG or HEIC."
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

    def __init__(self, client: httpx.AsyncClient, *asked: str) -> None:
        """`asked` are the parameters of what is asked, all of them true."""
        self._client = client
        self._parameters = dict.fromkeys(asked, "true")

    def for_anonymous(self) -> "FaceCheck":
        """Return the one for visitors without an account, who wait behind everybody else."""
        return FaceCheck(self._client, ANONYMOUS)

    def for_trial(self) -> "FaceCheck":
        """Return the one for pictures of theirs that are judged before they are sent as selfies."""
        return FaceCheck(self._client, ANONYMOUS, WILL_RETURN)

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
                answer = await self._client.post(
                    FACE_CHECK_PATH, params=self._parameters, content=image, headers=headers
                )
                answer.raise_for_status()
            return FaceVerdict.model_validate_json(answer.content)
        except (httpx.HTTPError, ValidationError) as error:
            log.warning("face_check_unavailable", error=error)
            msg = "Selfies cannot be checked at this moment. Try again in a few seconds."
            raise Unavailable(msg, retry_after_seconds=_retry_after_seconds(error)) from error


def _retry_after_seconds(error: Exception) -> int:
    """Return when recognition says that its line has gone down, or a few seconds."""
    said = ""
    if isinstance(error, httpx.HTTPStatusError):
        said = error.response.headers.get("retry-after", "")
    return int(said) if said.isdecimal() else RETRY_AFTER_SECONDS


def recognition_client(
    settings: IngestSettings, transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    """Return the one client of the process; `transport` reaches a service without a socket."""
    return internal_client(
        settings.recognition_url,
        keys=settings.signing_keys,
        timeout_seconds=FACE_CHECK_SECONDS,
        transport=transport,
    )


async def read_selfie_form(parts: MultipartReader, *, max_bytes: int) -> bytes:
    """Return the file that was sent. Raises InvalidInput, with a sentence for the guest."""
    with of_selfie(max_bytes):
        return await _read_file(parts, max_bytes)


@contextmanager
def of_selfie(max_bytes: int) -> Iterator[None]:
    """Read a form with a selfie in the block. Raises InvalidInput when it is too large."""
    try:
        yield
    except BodyTooLarge as error:
        raise _too_large(max_bytes) from error


async def judge_selfie(content: bytes, *, max_pixels: int, face_check: FaceCheck) -> Selfie:
    """Return the picture if it can serve as a selfie. Raises InvalidInput, Unavailable."""
    try:
        header = await asyncio.to_thread(
            read_header, content, max_pixels=max_pixels, taken=TAKEN_AS_SELFIE
        )
        _refuse_raw(header.format)
        face = await face_check.check(content)
    except InvalidInput:
        SELFIES.labels("refused").inc()
        raise
    return Selfie(content, header.format, face)


def _refuse_raw(kind: ImageFormat) -> None:
    """It may have a hundred megabytes, and no camera makes selfies so."""
    if kind.is_raw:
        raise InvalidInput(NO_RAW)


async def read_selfie(part: Part, max_bytes: int) -> bytes:
    """Return the file's content. Raises InvalidInput above the limit."""
    content = await read_prefix(part, max_bytes + 1)
    if len(content) > max_bytes:
        raise _too_large(max_bytes)
    return content


async def _read_file(parts: MultipartReader, max_bytes: int) -> bytes:
    while part := await parts.next_part():
        if part.name == FILE_FIELD:
            return await read_selfie(part, max_bytes)
    msg = "No selfie was sent. Send it as `file` in multipart/form-data."
    raise InvalidInput(msg)


def _too_large(max_bytes: int) -> InvalidInput:
    return InvalidInput(f"The selfie is larger than {in_megabytes(max_bytes)}. Send a smaller one.")

"""Read a selfie from a request and judge it; selfies are small, so memory holds them."""

import asyncio
from dataclasses import dataclass

from libs.common.errors import InvalidInput
from libs.common.images.formats import ImageFormat
from services.ingest.images.header import read_header
from services.ingest.metrics import SELFIES
from services.ingest.request_body import BodyTooLarge, BrokenBody, MultipartReader, in_megabytes
from services.ingest.selfies.face_check import FaceCheck, SelfieFace

FILE_FIELD = "file"
#: All of a selfie must have arrived by then: its sender may be anybody.
BODY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Selfie:
    """A picture that shows one usable face; `face` is what it is found by, where that is known."""

    content: bytes
    format: ImageFormat
    face: SelfieFace | None


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

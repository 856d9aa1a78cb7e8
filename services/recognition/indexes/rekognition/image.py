"""Photos made fit for the service, in a worker process: upright, scaled, a JPEG within 5 MB."""

from pathlib import Path

import pyvips

from libs.common.workers.stages import stage
from services.recognition.engine import thumbhash
from services.recognition.engine.decode import PIXEL_LIMIT, decode
from services.recognition.engine.face_engine import Purpose
from services.recognition.engine.thumbnail import thumbnail
from services.recognition.indexes.rekognition.prepared_image import PreparedImage

#: The smallest face that the service finds grows with the image (40 px on 1920 x 1080), so a
#: larger one would only be slower to send.
LONG_SIDE = 1920
MAX_BYTES = 5 * 1024 * 1024
MIN_SIDE = 80
#: The first that fits is taken: 90 takes about 1 MB; only noise needs another.
_QUALITIES = (90, 75, 50, 25)


class ImagePreparer:
    """What a worker runs."""

    def __init__(self, *, pixel_limit: int = PIXEL_LIMIT) -> None:
        # See `use_one_thread` of the engines.
        pyvips.concurrency_set(1)
        self._pixel_limit = pixel_limit

    def __call__(self, path: Path, purpose: Purpose = Purpose.PHOTO) -> PreparedImage:
        """Prepare one picture; raises `UndecodablePhoto` for a file that is none."""
        with stage("decode"):
            photo = decode(path, long_side=LONG_SIDE, pixel_limit=self._pixel_limit)
        return PreparedImage(
            jpeg=_encode(_padded(pyvips.Image.new_from_array(photo.pixels))),
            width=photo.width,
            height=photo.height,
            placeholder=thumbhash.encode(photo.pixels),
            thumbnail=thumbnail(photo) if purpose is Purpose.PHOTO else None,
            note=photo.note,
        )


def _padded(image: pyvips.Image) -> pyvips.Image:
    """A strip that is too narrow is drawn out; that changes no fraction of it."""
    narrow = min(image.width, image.height)
    if narrow >= MIN_SIDE:
        return image
    across, down = max(1, MIN_SIDE / image.width), max(1, MIN_SIDE / image.height)
    return image.resize(across, vscale=down)


def _encode(image: pyvips.Image) -> bytes:
    for quality in _QUALITIES:
        jpeg: bytes = image.jpegsave_buffer(Q=quality, keep="none")
        if len(jpeg) <= MAX_BYTES:
            break
    return jpeg

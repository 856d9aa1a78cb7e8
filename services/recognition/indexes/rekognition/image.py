"""Photos made fit for the service, in a worker process: upright, scaled, a JPEG within 5 MB."""

from dataclasses import dataclass
from pathlib import Path

import pyvips

from libs.common.workers.stages import stage
from services.recognition.engine import thumbhash
from services.recognition.engine.decode import PIXEL_LIMIT, decode

#: The smallest face that the service finds grows with the image (40 px on 1920 x 1080), so a
#: larger one would only be slower to send.
LONG_SIDE = 1920
MAX_BYTES = 5 * 1024 * 1024
MIN_SIDE = 80
#: The first that fits is taken: 90 takes about 1 MB; only noise needs another.
_QUALITIES = (90, 75, 50, 25)


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """What is sent, the upright size of the whole photo, and a placeholder."""

    jpeg: bytes
    width: int
    height: int
    placeholder: str  # ThumbHash, base64


class ImagePreparer:
    """What a worker runs."""

    def __init__(self, *, pixel_limit: int = PIXEL_LIMIT) -> None:
        # See `use_one_thread` of the engines.
        pyvips.vips_lib.vips_concurrency_set(1)
        pyvips.cache_set_max(0)
        self._pixel_limit = pixel_limit

    def __call__(self, path: Path) -> PreparedImage:
        """Prepare one photo; raises `UndecodablePhoto` for a file that is none."""
        with stage("decode"):
            photo = decode(path, long_side=LONG_SIDE, pixel_limit=self._pixel_limit)
        return PreparedImage(
            jpeg=_encode(_padded(pyvips.Image.new_from_array(photo.pixels))),
            width=photo.width,
            height=photo.height,
            placeholder=thumbhash.encode(photo.pixels),
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

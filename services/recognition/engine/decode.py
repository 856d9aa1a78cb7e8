"""From a photo's file to upright 8-bit RGB pixels of the size that analysis wants.

The header is checked before anything is decoded: the kind of file by its first bytes (never by
its name), and the number of pixels, which a decompression bomb cannot hide.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pillow_heif
import pyvips
from PIL import Image

from libs.common.errors import PermanentError
from libs.common.images.formats import SNIFF_BYTES, TAKEN, ImageFormat, image_format
from libs.common.workers.serving import Certain

PIXEL_LIMIT = 100_000_000

# Faces are looked for on this size.
LONG_SIDE = 1600
# Where the faces are small: twice the size costs another 110 ms for a photo of 12 megapixels,
# but only for such photos. Larger finds hardly more, and 4000 pixels are 36 MB.
FINE_LONG_SIDE = 3200
# Small pictures grow, but no further: what is not there cannot be found.
_MAX_ENLARGEMENT = 2.0

_JPEG_SHRINKS = (8, 4, 2)  # what the decoder can do on the way, nearly for nothing
_SIDEWAYS = frozenset({5, 6, 7, 8})  # EXIF orientations that swap width and height


class UndecodablePhoto(PermanentError):
    """The file is no photo that can be shown; the message is a sentence for its owner."""


class RefusedPhoto(UndecodablePhoto, Certain):
    """It is not even given to a decoder."""


@dataclass(frozen=True, slots=True)
class DecodedPhoto:
    """Pixels scaled for analysis, and the size of the whole photo; both with the top at the top."""

    pixels: npt.NDArray[np.uint8]  # (height, width, 3), sRGB
    width: int
    height: int


def decode(
    path: Path, *, long_side: int = LONG_SIDE, pixel_limit: int = PIXEL_LIMIT
) -> DecodedPhoto:
    """Decode a photo; raises `UndecodablePhoto`, and OSError when the file cannot be read."""
    with path.open("rb") as file:
        beginning = file.read(SNIFF_BYTES)
    if not beginning:
        raise RefusedPhoto("The file is empty.")
    found = image_format(beginning)
    if found is None:
        raise RefusedPhoto(f"The file is not a {TAKEN} picture.")
    if found is ImageFormat.HEIC:
        return _decode_heic(path, long_side, pixel_limit)
    return _decode_by_vips(path, long_side, pixel_limit, found)


class PhotoScales:
    """Raises `UndecodablePhoto`; a size is decoded when it is first asked for."""

    def __init__(self, path: Path, *, pixel_limit: int = PIXEL_LIMIT) -> None:
        self._path = path
        self._pixel_limit = pixel_limit
        self._photo = decode(path, long_side=LONG_SIDE, pixel_limit=pixel_limit)

    @property
    def photo(self) -> DecodedPhoto:
        """What was decoded first, with the photo's own size."""
        return self._photo

    @property
    def base(self) -> npt.NDArray[np.uint8]:
        """RGB, the longer side `LONG_SIDE`, or twice the photo's own where that is less."""
        return self._photo.pixels

    @cached_property
    def fine(self) -> npt.NDArray[np.uint8]:
        """RGB, up to `FINE_LONG_SIDE`, but never larger than the photo itself."""
        own = max(self._photo.width, self._photo.height)
        if own <= _long_side(self.base):
            return self.base
        side = min(FINE_LONG_SIDE, own)
        return decode(self._path, long_side=side, pixel_limit=self._pixel_limit).pixels

    @property
    def fine_factor(self) -> float:
        """How much larger `fine` is than `base`."""
        return _long_side(self.fine) / _long_side(self.base)

    @property
    def own_factor(self) -> float:
        """How much larger the photo itself is than `base`; less than 1 where that is enlarged."""
        return max(self._photo.width, self._photo.height) / _long_side(self.base)


def _decode_by_vips(
    path: Path, long_side: int, pixel_limit: int, found: ImageFormat
) -> DecodedPhoto:
    # Some AVIFs are not recognised by their beginning.
    load = pyvips.Image.heifload if found is ImageFormat.AVIF else pyvips.Image.new_from_file
    try:
        image = load(str(path), access="sequential")
        width, height = image.width, image.height
        _check_pixels(width, height, pixel_limit)
        target = _target(width, height, long_side)
        # fail_on="warning": half a photo, or one with garbage in it, must not count as analysed.
        # vips' own thumbnail() shrinks a JPEG on load only to twice the target: 20 ms more.
        is_jpeg = found is ImageFormat.JPEG
        shrink = _jpeg_shrink(max(width, height), target) if is_jpeg else {}
        image = load(str(path), access="sequential", fail_on="warning", **shrink)
        # Embedded colour profiles are not applied (but CMYK's): 220 ms a photo, for hues that
        # hardly change a face's embedding.
        pixels = _srgb_pixels(image.thumbnail_image(target, height=target, size="both"))
    except pyvips.Error as error:
        raise _damaged() from error
    if image.get_typeof("orientation") and image.get("orientation") in _SIDEWAYS:
        width, height = height, width
    return DecodedPhoto(pixels, width, height)


def _jpeg_shrink(size: int, target: int) -> dict[str, int]:
    """The strongest shrink-on-load that leaves at least the target, as the loader's option."""
    return next(({"shrink": by} for by in _JPEG_SHRINKS if size // by >= target), {})


def _srgb_pixels(image: pyvips.Image) -> npt.NDArray[np.uint8]:
    image = image.colourspace("srgb")
    if image.hasalpha():
        image = image.flatten(background=255)
    pixels: npt.NDArray[np.uint8] = image.cast("uchar").numpy()
    return pixels


def _decode_heic(path: Path, long_side: int, pixel_limit: int) -> DecodedPhoto:
    """By pillow-heif: the libheif inside pyvips' wheel has no HEVC decoder."""
    try:
        picture = pillow_heif.open_heif(path, convert_hdr_to_8bit=True)
        width, height = picture.size
        _check_pixels(width, height, pixel_limit)
        whole = picture.to_pillow()
        scale = _target(width, height, long_side) / max(width, height)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        scaled = whole.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        white = Image.new("RGBA", size, "white")
        flat = Image.alpha_composite(white, scaled.convert("RGBA")).convert("RGB")
    except (UndecodablePhoto, MemoryError):
        raise
    # Damaged bytes raise whatever their parser happens to stumble over.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # a number is the system's: of a file that cannot be read nothing is known
        raise _damaged() from error
    return DecodedPhoto(np.asarray(flat), width, height)


def _check_pixels(width: int, height: int, pixel_limit: int) -> None:
    if width * height > pixel_limit:
        raise RefusedPhoto(_too_many_pixels(pixel_limit))


def _too_many_pixels(pixel_limit: int) -> str:
    return f"The picture has more than {pixel_limit / 1e6:.0f} million pixels."


def _target(width: int, height: int, long_side: int) -> int:
    return min(long_side, round(max(width, height) * _MAX_ENLARGEMENT))


def _damaged() -> UndecodablePhoto:
    return UndecodablePhoto("The picture is damaged or incomplete and cannot be decoded.")


def _long_side(pixels: npt.NDArray[np.uint8]) -> int:
    return int(max(pixels.shape[:2]))

"""What a worker process does: decode untrusted bytes, make them smaller, encode as WebP.

Imported by every worker, so it imports image libraries and nothing else of the service.
"""

from collections.abc import Callable

import pillow_heif
import pyvips

from libs.common.images.formats import SNIFF_BYTES, ImageFormat, image_format
from libs.common.images.known_good import KNOWN_GOOD, KNOWN_GOOD_PIXELS
from libs.common.workers.serving import Certain

#: What is able to decode here: what one release cannot read, the next one may.
DECODERS = (
    f"libvips {'.'.join(str(pyvips.version(part)) for part in range(3))},"
    f" libheif {pillow_heif.libheif_version()}"
)
DAMAGED = "it is damaged, or of a kind that cannot be shown"
WEBP_QUALITY = 80
#: 229 ms for both sizes of a 12 MP photo; libwebp's default of 4 costs a third more.
WEBP_EFFORT = 2

# Loaders that were never hardened against hostile files (SVG, PDF, ImageMagick) stay off,
# whoever calls.
pyvips.block_untrusted_set(True)  # noqa: FBT003 - the library's signature


class CannotDecode(Exception):
    """These bytes are no picture that we show; the message says why."""


class NotShown(CannotDecode, Certain):
    """They are not even given to a decoder."""


def prepared() -> Callable[[str, int, int], bytes]:
    """Return `render` in a process that is made ready for it: one picture on one core."""
    pyvips.concurrency_set(1)
    pyvips.cache_set_max(0)
    return render


def do_known_good(render: Callable[[str, int, int], bytes]) -> None:
    """What shows that a worker is well."""
    render(str(KNOWN_GOOD), 400, KNOWN_GOOD_PIXELS)


def render(path: str, longest_side_px: int, max_pixels: int) -> bytes:
    """Return the picture upright, in sRGB, without metadata. Raises CannotDecode."""
    try:
        small = _shrunk(path, longest_side_px, max_pixels)
        encoded: bytes = small.colourspace("srgb").webpsave_buffer(
            Q=WEBP_QUALITY,
            effort=WEBP_EFFORT,
            keep="none",  # a place and a camera's serial number are not for every guest
        )
    except CannotDecode:
        raise
    # Damaged bytes raise whatever their parser happens to stumble over. But a number is the
    # system's: of a file that cannot be read nothing is known.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise CannotDecode(DAMAGED) from error
    return encoded


def _shrunk(path: str, longest_side_px: int, max_pixels: int) -> pyvips.Image:
    size = {"height": longest_side_px, "size": "down", "export_profile": "srgb"}
    with open(path, "rb") as file:  # noqa: PTH123 - worker processes deal in strings
        found = image_format(file.read(SNIFF_BYTES))
    if found is None:
        raise NotShown(DAMAGED)
    if found is ImageFormat.HEIC:
        return _decoded_heic(path, max_pixels).thumbnail_image(longest_side_px, **size)
    # Reads the header only. libvips has no limit of its own. Some AVIFs it does not recognise.
    is_avif = found is ImageFormat.AVIF
    load = pyvips.Image.heifload if is_avif else pyvips.Image.new_from_file
    header = load(path, access="sequential")
    _check_pixels(header.width * header.height, max_pixels)
    if is_avif:
        whole = load(path, access="sequential", fail_on="warning")
        return whole.thumbnail_image(longest_side_px, **size)
    # "error" would let files through that are corrupt in the middle.
    return pyvips.Image.thumbnail(path, longest_side_px, fail_on="warning", **size)


def _decoded_heic(path: str, max_pixels: int) -> pyvips.Image:
    """The upright picture with its colour profile: pyvips' wheel has no HEVC decoder."""
    picture = pillow_heif.open_heif(path, convert_hdr_to_8bit=True)
    width, height = picture.size
    _check_pixels(width * height, max_pixels)
    bands = len(picture.mode)
    # Rows may be padded: take them as wider ones, and cut.
    padded = pyvips.Image.new_from_memory(
        bytes(picture.data), picture.stride // bands, height, bands, "uchar"
    )
    image = padded.crop(0, 0, width, height).copy(interpretation="srgb" if bands > 2 else "b-w")
    if profile := picture.info.get("icc_profile"):
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image


def _check_pixels(pixels: int, max_pixels: int) -> None:
    if pixels > max_pixels:
        raise NotShown(f"it has more than {max_pixels / 1e6:.0f} megapixels")

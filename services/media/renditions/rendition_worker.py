"""What a worker process does: decode untrusted bytes, make them smaller, encode as WebP.

Imported by every worker, so it imports image libraries and nothing else of the service.
"""

import os
from collections.abc import Callable

import pillow_heif
import pyvips
from PIL import AvifImagePlugin
from PIL.AvifImagePlugin import AvifImageFile
from PIL.ExifTags import Base

from libs.common.images import bitmaps, code_points, raw_previews
from libs.common.images.av1 import largest_frame
from libs.common.images.colour_profiles import icc_profile, profile_of_png
from libs.common.images.decoders import VIPS_LOADERS, open_only_ours
from libs.common.images.formats import SNIFF_BYTES, ImageFormat, image_format
from libs.common.images.known_good import KNOWN_GOOD, KNOWN_GOOD_PIXELS
from libs.common.images.partly import Partly
from libs.common.images.renditions import (
    as_webp,
    fitted,
    in_rgb,
    jpeg_shrink,
    profiled,
    to_srgb,
    turned,
)
from libs.common.images.sizes import long_side
from services.media.renditions.decoding import CannotDecode, Make, NotShown
from services.media.stripping.pieces import CannotStrip
from services.media.stripping.strip import strip

DAMAGED = "it is damaged, or of a kind that cannot be shown"
#: Of a copy in place of an original that cannot be taken to pieces.
JPEG_QUALITY = 92
#: Where both have the same cores, photos are analysed first: a third of the weight beside one.
BELOW_ANALYSIS = 5
_JPEG_MAX_SIDE_PX = 65_500
#: So large a picture is looked at to see whether there is something to see.
_GLANCE_PX = 64

open_only_ours(pyvips)
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # one picture on one core, see `prepared`


def prepared() -> Make:
    """Return `made` in a process that is made ready for it: one picture on one core."""
    pyvips.concurrency_set(1)
    os.nice(BELOW_ANALYSIS)
    return made


def do_known_good(make: Make) -> None:
    """What shows that a worker is well."""
    make(str(KNOWN_GOOD), 400, KNOWN_GOOD_PIXELS)


def made(path: str, longest_side_px: int | None, max_pixels: int) -> bytes:
    """Return what `render` does, or `copy_for_guests` where no size is asked for."""
    if longest_side_px is None:
        return copy_for_guests(path, max_pixels)
    return render(path, longest_side_px, max_pixels)


def copy_for_guests(path: str, max_pixels: int) -> bytes:
    """Return the pieces of the photo that are for every guest, as JSON (`stripping.pieces.Copy`).

    Where the file cannot be taken to pieces it is a JPEG of the whole picture, without metadata.
    Raises CannotDecode.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - worker processes deal in strings
            return strip(file.read()).model_dump_json().encode()
    except CannotStrip:
        return _encoded(path, _JPEG_MAX_SIDE_PX, max_pixels, _as_jpeg)


def render(path: str, longest_side_px: int, max_pixels: int) -> bytes:
    """Return the picture upright, in sRGB, without metadata. Raises CannotDecode."""
    return _encoded(path, longest_side_px, max_pixels, as_webp)


def _encoded(
    path: str, longest_side_px: int, max_pixels: int, encode: Callable[[pyvips.Image], bytes]
) -> bytes:
    try:
        try:
            return encode(_shrunk(path, longest_side_px, max_pixels))
        except pyvips.Error:
            return encode(_partly_shrunk(path, longest_side_px, max_pixels))
    except CannotDecode:
        raise
    # Damaged bytes raise whatever their parser happens to stumble over. But a number is the
    # system's: of a file that cannot be read nothing is known.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise CannotDecode(DAMAGED) from error


def _as_jpeg(image: pyvips.Image) -> bytes:
    encoded: bytes = in_rgb(image).jpegsave_buffer(Q=JPEG_QUALITY, keep="none")
    return encoded


def _shrunk(path: str, longest_side_px: int, max_pixels: int) -> pyvips.Image:
    found = _format_of(path)
    if found is None:
        raise NotShown(DAMAGED)
    if found.is_raw:
        return _preview_of_raw(path, found, longest_side_px, max_pixels)
    if found is ImageFormat.HEIC:
        return fitted(_decoded_heic(path, max_pixels), longest_side_px)
    if found is ImageFormat.AVIF:
        return fitted(_decoded_avif(path, max_pixels), longest_side_px)
    if found is ImageFormat.BMP:
        _check_pixels(*bitmaps.size_of(path), max_pixels)
        return fitted(bitmaps.opened(path), longest_side_px)
    # Reads the header only. libvips has no limit of its own.
    header = getattr(pyvips.Image, VIPS_LOADERS[found])(path, access="sequential")
    _check_pixels(header.width, header.height, max_pixels)
    if found is ImageFormat.PNG and (profile := profile_of_png(path)):
        picture = pyvips.Image.pngload(path, access="sequential", fail_on="warning")
        return fitted(profiled(picture, profile), longest_side_px)
    side = long_side(header.width, header.height, longest_side_px)
    # "error" would let files through that are corrupt in the middle, and have to be looked at.
    return pyvips.Image.thumbnail(
        path,
        side,
        height=side,
        size="down",
        fail_on="warning",
        **to_srgb(header),
    )


def _preview_of_raw(
    path: str, kind: ImageFormat, longest_side_px: int, max_pixels: int
) -> pyvips.Image:
    """The JPEG in it, turned as the raw file says and not as its own EXIF does."""
    with open(path, "rb") as file:  # noqa: PTH123 - worker processes deal in strings
        preview, content = raw_previews.of_file(file, kind)
    header = pyvips.Image.jpegload_buffer(content, access="sequential")
    _check_pixels(header.width, header.height, max_pixels)
    # Not by thumbnail_buffer, which knows no `fail_on` for JPEG; it leaves twice the size, too.
    side = long_side(header.width, header.height, longest_side_px)
    shrink = jpeg_shrink(max(header.width, header.height), 2 * side)
    image = pyvips.Image.jpegload_buffer(content, access="sequential", fail_on="warning", **shrink)
    return fitted(turned(image, preview.orientation), longest_side_px)


def _partly_shrunk(path: str, longest_side_px: int, max_pixels: int) -> pyvips.Image:
    """What there is of a picture that cannot be read strictly."""
    found = _format_of(path)
    if found is None:
        raise NotShown(DAMAGED)
    partly, orientation = Partly.of_file(path, found, max_pixels)
    header = partly.open()
    _check_pixels(header.width, header.height, max_pixels)
    # Raises NothingToSee, which is damage like any other.
    partly.damage(in_rgb(partly.thumbnail(_GLANCE_PX)).copy_memory())
    if orientation is not None:
        return fitted(turned(partly.open(), orientation), longest_side_px)
    if found is ImageFormat.PNG and (profile := profile_of_png(path)):
        return fitted(profiled(partly.open(), profile), longest_side_px)
    return partly.thumbnail(long_side(header.width, header.height, longest_side_px))


def _format_of(path: str) -> ImageFormat | None:
    with open(path, "rb") as file:  # noqa: PTH123 - worker processes deal in strings
        return image_format(file.read(SNIFF_BYTES))


def _decoded_heic(path: str, max_pixels: int) -> pyvips.Image:
    """The upright picture with its colour profile."""
    picture = pillow_heif.open_heif(path, convert_hdr_to_8bit=True)
    width, height = picture.size
    _check_pixels(width, height, max_pixels)
    bands = len(picture.mode)
    # Rows may be padded: take them as wider ones, and cut.
    padded = pyvips.Image.new_from_memory(
        bytes(picture.data), picture.stride // bands, height, bands, "uchar"
    )
    image = padded.crop(0, 0, width, height).copy(interpretation="srgb" if bands > 2 else "b-w")
    told = picture.info.get("icc_profile") or icc_profile(code_points.of_heif(picture.info))
    return profiled(image, told) if told else image


def _decoded_avif(path: str, max_pixels: int) -> pyvips.Image:
    """The picture as it is stored, with its colour profile and how it is to be turned."""
    # Pillow tells the container's size; the decoder makes AV1's own, and scales it.
    with open(path, "rb") as file:  # noqa: PTH123 - worker processes deal in strings
        content = file.read()
    _check_pixels(*largest_frame(content), max_pixels)
    with AvifImageFile(path) as picture:
        width, height = picture.size
        _check_pixels(width, height, max_pixels)
        bands = len(picture.getbands())
        image = pyvips.Image.new_from_memory(picture.tobytes(), width, height, bands, "uchar")
        image = image.copy(interpretation="srgb" if bands > 2 else "b-w")
        # Pillow has put into EXIF what the container's boxes say.
        orientation = int(picture.getexif().get(Base.Orientation, 1))
        told = picture.info.get("icc_profile") or icc_profile(code_points.of_avif(content))
    return turned(profiled(image, told) if told else image, orientation)


def _check_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise NotShown(f"it has more than {max_pixels / 1e6:.0f} megapixels")

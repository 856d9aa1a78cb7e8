"""What an image's first bytes tell: format, upright size and when it was taken.

Only headers are parsed, in Python; no pixel is decoded here, so that neither a decompression
bomb nor a decoder's bug can reach this process.
"""

import io
from dataclasses import dataclass, replace
from datetime import datetime

from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from libs.common.errors import InvalidInput
from libs.common.images.formats import TAKEN, ImageFormat, RefusedFormat, sniff
from libs.common.settings import MEGAPIXEL
from services.ingest.images.containers import (
    ExifFacts,
    facts_of,
    facts_of_bytes,
    parse_heif,
    parse_webp,
)

#: Cameras put everything that is needed into the first few hundred KB.
HEADER_BYTES = 1024 * 1024

#: The classes themselves, because Image.open warns of or refuses pixel counts by a limit that
#: is global to the process; ours is checked below.
_PILLOW_READERS: dict[ImageFormat, type[ImageFile]] = {
    ImageFormat.JPEG: JpegImageFile,
    ImageFormat.PNG: PngImageFile,
    ImageFormat.TIFF: TiffImageFile,
    ImageFormat.GIF: GifImageFile,
}
#: Item types (ISO/IEC 23008-12, AV1 image file format) of the pictures that our decoders take.
_CODINGS = {ImageFormat.HEIC: b"hvc1", ImageFormat.AVIF: b"av01"}
_TITLES = {b"hvc1": "HEIC", b"av01": "AVIF", b"avc1": "H.264", b"jpeg": "JPEG"}
_TAG_SUBFILE_TYPE = 254
_TAG_DNG_VERSION = 50706


class UnusableImage(InvalidInput):
    """The file is not an image that can be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Width and height are those of the upright image; `taken_at` is by the camera's clock."""

    format: ImageFormat
    width: int
    height: int
    taken_at: datetime | None


def read_header(prefix: bytes, *, max_pixels: int) -> ImageHeader:
    """Parse a file's first HEADER_BYTES, or all of a smaller one. Raises UnusableImage."""
    if not prefix:
        msg = "The file is empty. Copy it from the camera again."
        raise UnusableImage(msg)
    image_format = sniff(prefix)
    if image_format is None:
        msg = f"This is not a photo that can be read. Send {TAKEN}."
        raise UnusableImage(msg)
    if isinstance(image_format, RefusedFormat):
        raise _not_taken(image_format.title, image_format.instead)
    width, height, facts = _parse(prefix, image_format)
    if width < 1 or height < 1:
        raise _damaged(image_format)
    if width * height > max_pixels:
        msg = (
            f"The image has {width} x {height} pixels; at most {max_pixels / MEGAPIXEL:g} million"
            " are taken. Export it smaller."
        )
        raise UnusableImage(msg)
    if facts.is_turned:
        width, height = height, width
    return ImageHeader(image_format, width, height, facts.taken_at)


def _parse(prefix: bytes, image_format: ImageFormat) -> tuple[int, int, ExifFacts]:
    try:
        match image_format:
            case ImageFormat.HEIC | ImageFormat.AVIF:
                found = parse_heif(prefix)
                _check_coding(image_format, found.coding)
                return found.width, found.height, found.facts
            case ImageFormat.WEBP:
                return parse_webp(prefix)
            case _:
                with _PILLOW_READERS[image_format](io.BytesIO(prefix)) as image:
                    if image_format is ImageFormat.TIFF:
                        _refuse_raw(image)
                        # Pillow has turned a TIFF's size already.
                        facts = replace(facts_of(image.getexif()), is_turned=False)
                    else:
                        # Not getexif(): a PNG's decodes the pixels to look behind them.
                        facts = facts_of_bytes(image.info.get("exif", b""))
                    return *image.size, facts
    except UnusableImage:
        raise
    # Parsers meet hostile bytes with every error there is; they all mean the same.
    except Exception as error:
        if image_format is ImageFormat.TIFF and len(prefix) >= HEADER_BYTES:
            msg = "This TIFF's directory is not at its beginning. Export the photo as JPEG or PNG."
            raise UnusableImage(msg) from error
        raise _damaged(image_format) from error


def _refuse_raw(image: ImageFile) -> None:
    """Cameras' raw files are TIFFs whose first image is but a small preview."""
    tags = image.getexif()
    if _TAG_DNG_VERSION in tags:
        raise _not_taken("DNG", "Export the photo as JPEG.")
    if int(tags.get(_TAG_SUBFILE_TYPE, 0)) & 1:
        msg = "This is a camera's raw file. Export the photo as JPEG."
        raise UnusableImage(msg)


def _not_taken(title: str, instead: str) -> UnusableImage:
    return UnusableImage(f"{title} files are not taken. {instead}")


def _check_coding(image_format: ImageFormat, coding: bytes) -> None:
    """Brands can be changed by whoever renames files; a decoder then meets what it cannot read."""
    if coding != _CODINGS[image_format]:
        kind = _TITLES.get(coding, "of another kind")
        msg = (
            f"The file says that it is {image_format.title}, but its picture is {kind}."
            " Export the photo as JPEG."
        )
        raise UnusableImage(msg)


def _damaged(image_format: ImageFormat) -> UnusableImage:
    return UnusableImage(
        f"The {image_format.title} file is damaged or cut off. Copy it from the camera again."
    )

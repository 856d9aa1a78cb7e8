"""What an image's headers tell: format, upright size and when it was taken.

Only headers are parsed, in Python; no pixel is decoded here, so that neither a decompression
bomb nor a decoder's bug can reach this process.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PIL.ExifTags import Base
from PIL.Image import Exif

from libs.common.errors import InvalidInput
from libs.common.images import raw_previews
from libs.common.images.formats import (
    DNG_VERSION,
    SUBFILE_TYPE,
    TAKEN,
    ImageFormat,
    RefusedFormat,
    sniff,
)
from libs.common.images.raw_previews import MIN_LONG_SIDE_PX
from libs.common.images.reading import bmp, jpeg, tiff
from libs.common.images.reading.exif import loaded
from libs.common.images.reading.steps import MAX_STEPS, Found, Metadata, Span, Steps, exactly
from libs.common.settings import MEGAPIXEL
from services.ingest.images import gif, heif, png, webp
from services.ingest.images.camera import Camera, camera_of
from services.ingest.images.taken import Taken, taken_of

#: Orientations that exchange width and height.
_LYING: Final = range(5, 9)

_PARSERS: Final[dict[ImageFormat, Callable[[], Steps[Found]]]] = {
    ImageFormat.JPEG: jpeg.parse,
    ImageFormat.PNG: png.parse,
    ImageFormat.WEBP: webp.parse,
    ImageFormat.HEIC: heif.parse,
    ImageFormat.AVIF: heif.parse,
    ImageFormat.TIFF: tiff.parse,
    ImageFormat.GIF: gif.parse,
    ImageFormat.BMP: bmp.parse,
}
#: Item types (ISO/IEC 23008-12, AV1 image file format) of the pictures that our decoders take.
_CODINGS = {ImageFormat.HEIC: b"hvc1", ImageFormat.AVIF: b"av01"}
_TITLES = {
    b"hvc1": "HEIC",
    b"hev1": "HEVC of another form",
    b"lhv1": "layered HEVC",
    b"av01": "AVIF",
    b"avc1": "H.264",
    b"vvc1": "H.266",
    b"evc1": "EVC",
    b"jpeg": "JPEG",
    b"j2k1": "JPEG 2000",
    b"unci": "uncompressed",
}


class UnusableImage(InvalidInput):
    """The file is not an image that can be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Width and height are those of the upright image."""

    format: ImageFormat
    width: int
    height: int
    taken: Taken | None
    camera: Camera | None


def read_header(content: bytes, *, max_pixels: int, taken: str = TAKEN) -> ImageHeader:
    """Parse the header of a whole file. Raises UnusableImage, with what is `taken` instead."""
    reading = HeaderReading(content, size_bytes=len(content), max_pixels=max_pixels, taken=taken)
    return reading.header


class HeaderReading:
    """Reads a file's header as far as its beginning goes; where that does not decide, it goes on.

    Raises UnusableImage from the first bytes that show it on, with what is `taken` instead.
    """

    def __init__(
        self, beginning: bytes, *, size_bytes: int | None, max_pixels: int, taken: str = TAKEN
    ) -> None:
        """Begin with the first bytes; the size is None where it is not known yet."""
        self.format = _taken_format(beginning, taken)
        self._steps = _header(self.format, max_pixels)
        #: What it wants next; None once it is done.
        self.wanted: Span | None = next(self._steps)
        self._header: ImageHeader | None = None
        self._asked = 0
        self.go_on(0, beginning, size_bytes)

    @property
    def header(self) -> ImageHeader:
        """What was read, once nothing is wanted any more."""
        if self._header is None:
            msg = "the header is not read yet"
            raise RuntimeError(msg)
        return self._header

    def go_on(self, start: int, data: bytes, size_bytes: int | None) -> None:
        """Read as far as these bytes of the file go, which lie at `start`."""
        while self.wanted is not None:
            piece = _piece(self.wanted, start, data, size_bytes)
            if piece is None:
                return
            self._send(piece)

    def end(self) -> None:
        """Decide by what was read."""
        while self.wanted is not None:
            self._send(b"")

    def _send(self, piece: bytes) -> None:
        self._asked += 1
        try:
            self.wanted = self._steps.send(piece if self._asked <= MAX_STEPS else b"")
        except StopIteration as stop:
            self.wanted = None
            self._header = stop.value


def _piece(wanted: Span, start: int, data: bytes, size_bytes: int | None) -> bytes | None:
    """Return the bytes of the span that the file has, None where not all of them are at hand."""
    if wanted.start < 0 and size_bytes is None:
        return None
    first = wanted.within(size_bytes or 0) - start
    last = first + wanted.length
    is_last = size_bytes is not None and start + len(data) >= size_bytes
    return data[first:last] if first >= 0 and (last <= len(data) or is_last) else None


def _taken_format(beginning: bytes, taken: str) -> ImageFormat:
    if not beginning:
        msg = "The file is empty. Copy it from the camera again."
        raise UnusableImage(msg)
    found = sniff(beginning)
    if found is None:
        msg = f"This is not a photo that can be read. Send {taken}."
        raise UnusableImage(msg)
    if isinstance(found, RefusedFormat):
        raise _not_taken(found.title, found.instead)
    return found


def _header(image_format: ImageFormat, max_pixels: int) -> Steps[ImageHeader]:
    try:
        if image_format.is_raw:
            found = yield from _of_preview(image_format)
        else:
            found = yield from _PARSERS[image_format]()
        header = _judged(image_format, found, max_pixels)
        if found.end is not None:
            yield from exactly(found.end - 1, 1)
    except UnusableImage:
        raise
    # Parsers meet hostile bytes with every error there is; they all mean the same.
    except Exception as error:
        raise _damaged(image_format) from error
    return header


def _of_preview(image_format: ImageFormat) -> Steps[Found]:
    preview = yield from raw_previews.find(image_format)
    if preview is None:
        return Found(0, 0)
    return Found(preview.width, preview.height, Metadata(exif=preview.exif))


def _judged(image_format: ImageFormat, found: Found, max_pixels: int) -> ImageHeader:
    if found.coding is not None:
        _check_coding(image_format, found.coding)
    if image_format.is_raw:
        _check_preview(image_format.title, max(found.width, found.height))
    if found.width < 1 or found.height < 1:
        raise _damaged(image_format)
    if found.oddity is not None:
        msg = (
            f"{image_format.title} files {found.oddity} are not taken."
            " Export the photo in RGB, with 8 or 16 bits a channel."
        )
        raise UnusableImage(msg)
    for size in (found.decoded, (found.width, found.height)):
        if size is not None:
            _check_pixels(*size, max_pixels)
    exif = loaded(found.metadata.exif)
    if image_format is ImageFormat.TIFF:
        _refuse_raw(exif)
    width, height = found.width, found.height
    lies = exif.get(Base.Orientation) in _LYING if found.is_turned is None else found.is_turned
    if lies:
        width, height = height, width
    taken = _taken(exif, found.metadata)
    return ImageHeader(image_format, width, height, taken, camera_of(exif))


def _taken(exif: Exif, metadata: Metadata) -> Taken | None:
    return taken_of(exif, xmp=metadata.xmp, iptc=metadata.iptc, modified=metadata.modified)


def _check_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        msg = (
            f"The image has {width} x {height} pixels; at most {max_pixels / MEGAPIXEL:g} million"
            " are taken. Export it smaller."
        )
        raise UnusableImage(msg)


def _refuse_raw(tags: Exif) -> None:
    """Raw files are told by their beginning; this one has its directory elsewhere."""
    if DNG_VERSION in tags or int(tags.get(SUBFILE_TYPE, 0)) & 1:
        msg = "This raw file's directory is not at its beginning. Export the photo as JPEG."
        raise UnusableImage(msg)


def _check_preview(title: str, long_side: int) -> None:
    if long_side < MIN_LONG_SIDE_PX:
        msg = (
            f"This {title} file has no JPEG of at least {MIN_LONG_SIDE_PX:,} pixels in it, by which"
            " it could be shown. Export the photo as JPEG."
        )
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

"""Which image formats are taken: one table for upload, analysis and renditions.

A format is told by the first bytes of a file, never by a name or a declared type. One that is
taken can be decoded by recognition and by media; one that is known and not taken is refused by
its name, so that the photographer learns what to send instead.
"""

import struct
from dataclasses import dataclass
from enum import Enum
from io import BytesIO
from typing import Final

from libs.common.images.reading import bmp, tiff
from libs.common.images.reading.steps import Steps, read_from

#: So many bytes of a file are enough to tell its format: a raw file's first directory is in them.
SNIFF_BYTES: Final = 64 * 1024
TAKEN_AS_SELFIE: Final = "JPEG, PNG, WebP, HEIC, AVIF, TIFF, GIF or BMP"
TAKEN: Final = "JPEG, PNG, WebP, HEIC, AVIF, TIFF, GIF, BMP or a camera's raw file"


class ImageFormat(Enum):
    """A format that is taken: its name, the extension that it is stored with, its media type."""

    JPEG = ("JPEG", "jpg", "image/jpeg")
    PNG = ("PNG", "png", "image/png")
    WEBP = ("WebP", "webp", "image/webp")
    HEIC = ("HEIC", "heic", "image/heic")
    AVIF = ("AVIF", "avif", "image/avif")
    TIFF = ("TIFF", "tiff", "image/tiff")
    GIF = ("GIF", "gif", "image/gif")
    BMP = ("BMP", "bmp", "image/bmp")
    CR2 = ("Canon CR2", "cr2", "image/x-canon-cr2")
    CR3 = ("Canon CR3", "cr3", "image/x-canon-cr3")
    NEF = ("Nikon NEF", "nef", "image/x-nikon-nef")
    ARW = ("Sony ARW", "arw", "image/x-sony-arw")
    DNG = ("DNG", "dng", "image/x-adobe-dng")
    RAF = ("Fujifilm RAF", "raf", "image/x-fuji-raf")
    ORF = ("Olympus ORF", "orf", "image/x-olympus-orf")
    RW2 = ("Panasonic RW2", "rw2", "image/x-panasonic-rw2")

    def __init__(self, title: str, extension: str, media_type: str) -> None:
        self.title = title
        self.extension = extension
        self.media_type = media_type

    @property
    def is_raw(self) -> bool:
        """Whether it is what a sensor saw, of which the JPEG in it is shown."""
        return self in _RAWS


_RAWS: Final = frozenset(
    {
        ImageFormat.CR2,
        ImageFormat.CR3,
        ImageFormat.NEF,
        ImageFormat.ARW,
        ImageFormat.DNG,
        ImageFormat.RAF,
        ImageFormat.ORF,
        ImageFormat.RW2,
    }
)


@dataclass(frozen=True, slots=True)
class RefusedFormat:
    """A format that is known and not taken; `instead` is the sentence that says what to do."""

    title: str
    instead: str = "Export the photo as JPEG or PNG."


_AS_JPEG: Final = "Export the photo as JPEG."
_NOT_A_PHOTO: Final = f"Send a photo, as {TAKEN}."

_SIGNATURES: Final[tuple[tuple[bytes, ImageFormat | RefusedFormat], ...]] = (
    (b"\xff\xd8\xff", ImageFormat.JPEG),
    (b"\x89PNG\r\n\x1a\n", ImageFormat.PNG),
    (b"GIF87a", ImageFormat.GIF),
    (b"GIF89a", ImageFormat.GIF),
    # Canon's raw files before 2018 are TIFFs with a mark of their own.
    (b"II*\0\x10\0\0\0CR", ImageFormat.CR2),
    (b"II*\0", ImageFormat.TIFF),
    (b"MM\0*", ImageFormat.TIFF),
    # BigTIFF.
    (b"II+\0", ImageFormat.TIFF),
    (b"MM\0+", ImageFormat.TIFF),
    (b"IIRO", ImageFormat.ORF),
    (b"IIRS", ImageFormat.ORF),
    (b"MMOR", ImageFormat.ORF),
    (b"IIU\0", ImageFormat.RW2),
    (b"FUJIFILMCCD-RAW", ImageFormat.RAF),
    (b"FOVb", RefusedFormat("Sigma X3F", _AS_JPEG)),
    (b"\0MRM", RefusedFormat("Minolta MRW", _AS_JPEG)),
    (b"II\xbc", RefusedFormat("JPEG XR")),
    (b"\xff\x4f\xff\x51", RefusedFormat("JPEG 2000")),
    (b"\0\0\0\x0cjP  \r\n\x87\n", RefusedFormat("JPEG 2000")),
    (b"\xff\x0a", RefusedFormat("JPEG XL")),
    (b"\0\0\0\x0cJXL \r\n\x87\n", RefusedFormat("JPEG XL")),
    (b"8BPS", RefusedFormat("Photoshop PSD")),
    (b"\x76\x2f\x31\x01", RefusedFormat("OpenEXR")),
    (b"#?RADIANCE", RefusedFormat("Radiance HDR")),
    (b"\0\0\1\0", RefusedFormat("ICO")),
    (b"qoif", RefusedFormat("QOI")),
    (b"%PDF-", RefusedFormat("PDF", _NOT_A_PHOTO)),
    (b"PK\x03\x04", RefusedFormat("ZIP", _NOT_A_PHOTO)),
    (b"Rar!", RefusedFormat("RAR", _NOT_A_PHOTO)),
    (b"7z\xbc\xaf\x27\x1c", RefusedFormat("7z", _NOT_A_PHOTO)),
    (b"\x1a\x45\xdf\xa3", RefusedFormat("WebM video", _NOT_A_PHOTO)),
)
#: Tags of TIFF (Adobe's DNG specification, TIFF 6.0) that raw files are told by.
DNG_VERSION, SUBFILE_TYPE, _MAKE = 50706, 254, 271
#: By how the maker's name begins.
_RAW_TIFFS: Final = {b"NIKON": ImageFormat.NEF, b"SONY": ImageFormat.ARW}
_OTHER_RAW: Final = RefusedFormat("These raw", _AS_JPEG)
_SVG: Final = RefusedFormat("SVG")
#: Where brands, or the beginning of a text, are looked for.
_WORDS_BYTES: Final = 256
_WEB_PAGE: Final = RefusedFormat("HTML", _NOT_A_PHOTO)
_BY_RIFF_KIND: Final[dict[bytes, ImageFormat | RefusedFormat]] = {
    b"WEBP": ImageFormat.WEBP,
    b"AVI ": RefusedFormat("AVI video", _NOT_A_PHOTO),
}
_VIDEO: Final = RefusedFormat("MP4 video", _NOT_A_PHOTO)

#: Brands of ISO base media files (ISO/IEC 23008-12, AV1 image file format) that say how the
#: picture is coded.
_CODED_BRANDS: Final[dict[bytes, ImageFormat | RefusedFormat]] = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis"), ImageFormat.HEIC),
    **dict.fromkeys((b"hevc", b"hevx", b"hevm", b"hevs"), ImageFormat.HEIC),
    **dict.fromkeys((b"avif", b"avis"), ImageFormat.AVIF),
    **dict.fromkeys((b"avci", b"avcs"), RefusedFormat("HEIF with H.264")),
    **dict.fromkeys((b"vvic", b"vvis"), RefusedFormat("HEIF with H.266")),
    **dict.fromkeys((b"jpeg", b"jpgs"), RefusedFormat("HEIF with JPEG")),
    **dict.fromkeys((b"j2ki", b"j2is"), RefusedFormat("HEIF with JPEG 2000")),
    b"crx ": ImageFormat.CR3,
}
#: Brands of any HEIF, and of the subset that phones agree on; mostly the picture is HEVC.
_GENERAL_BRANDS: Final = frozenset({b"mif1", b"mif2", b"msf1", b"miaf"})
#: libheif, which decodes HEIC and AVIF, wants one of these among the compatible brands.
_READABLE_BRANDS: Final = frozenset({b"heic", b"heix", b"avif", b"mif1"})
_ODD_HEIF: Final = RefusedFormat("HEIF without the brand mif1", _AS_JPEG)


def sniff(prefix: bytes) -> ImageFormat | RefusedFormat | None:
    """Return what a file is that begins so, None when nothing is known that does.

    What comes behind the first SNIFF_BYTES does not count: nobody is to know more than others.
    """
    prefix = prefix[:SNIFF_BYTES]
    for signature, found in _SIGNATURES:
        if prefix.startswith(signature):
            return _of_tiff(prefix) if found is ImageFormat.TIFF else found
    if prefix[4:8] == b"ftyp":
        return _by_brands(prefix)
    if prefix.startswith(b"RIFF"):
        return _BY_RIFF_KIND.get(prefix[8:12])
    if prefix.startswith(b"BM") and int.from_bytes(prefix[14:18], "little") in bmp.HEADER_BYTES:
        return ImageFormat.BMP
    return _markup(prefix)


def image_format(prefix: bytes) -> ImageFormat | None:
    """Return the format of a file that begins so, None when it is none that is taken."""
    found = sniff(prefix)
    return found if isinstance(found, ImageFormat) else None


def _of_tiff(prefix: bytes) -> ImageFormat | RefusedFormat:
    """Some cameras' raw files are TIFFs, whose first picture is but a small one."""
    try:
        return read_from(_raw_tiff(), BytesIO(prefix))
    except (ValueError, ArithmeticError, struct.error):
        return ImageFormat.TIFF  # its directory is elsewhere, or it is damaged


def _raw_tiff() -> Steps[ImageFormat | RefusedFormat]:
    layout, at = yield from tiff.head()
    entries = yield from tiff.directory(at, layout)
    if DNG_VERSION in entries:
        return ImageFormat.DNG
    kind = entries.get(SUBFILE_TYPE)
    if kind is None or not (yield from tiff.number(kind, layout)) & 1:
        return ImageFormat.TIFF
    values = yield from tiff.values_of(entries, frozenset({_MAKE}), layout)
    make = values[_MAKE][2] if _MAKE in values else b""
    return next((raw for name, raw in _RAW_TIFFS.items() if make.startswith(name)), _OTHER_RAW)


def _by_brands(prefix: bytes) -> ImageFormat | RefusedFormat:
    """The first brand that says how the picture is coded counts: the major one comes first."""
    end = min(int.from_bytes(prefix[:4], "big"), _WORDS_BYTES)
    major, compatible = prefix[8:12], [prefix[at : at + 4] for at in range(16, end, 4)]
    coded = [_CODED_BRANDS[brand] for brand in (major, *compatible) if brand in _CODED_BRANDS]
    if not coded and _GENERAL_BRANDS.isdisjoint((major, *compatible)):
        return _VIDEO
    found = coded[0] if coded else ImageFormat.HEIC
    is_whole = len(prefix) >= end  # else it is damaged, which its header will show
    is_heif = found in {ImageFormat.HEIC, ImageFormat.AVIF}
    if is_whole and is_heif and _READABLE_BRANDS.isdisjoint(compatible):
        return _ODD_HEIF
    return found


def _markup(prefix: bytes) -> RefusedFormat | None:
    text = prefix[:_WORDS_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return _WEB_PAGE
    return _SVG if text.startswith((b"<svg", b"<?xml")) and b"<svg" in text else None

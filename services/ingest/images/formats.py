"""Which image formats are taken, told by their first bytes, never by a name or a declared type."""

from enum import Enum
from typing import Final

#: ISO base media brands (ISO/IEC 23008-12) of stills that are coded as HEVC.
_HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_HEIF_BRAND: Final = b"mif1"
_OTHER_CODECS: Final = frozenset({b"avif", b"avis"})
#: Enough bytes for every rule below.
_MAX_BRANDS_BYTES: Final = 256


class ImageFormat(Enum):
    """A format that the whole of FindMe can decode, with its extension and media type."""

    JPEG = ("jpg", "image/jpeg")
    PNG = ("png", "image/png")
    WEBP = ("webp", "image/webp")
    HEIC = ("heic", "image/heic")
    TIFF = ("tiff", "image/tiff")
    GIF = ("gif", "image/gif")

    def __init__(self, extension: str, media_type: str) -> None:
        self.extension = extension
        self.media_type = media_type


def sniff(prefix: bytes) -> ImageFormat | None:
    """Return the format of a file that begins so, None when it is none of ours."""
    if prefix.startswith(b"\xff\xd8\xff"):
        return ImageFormat.JPEG
    if prefix.startswith(b"\x89PNG\r\n\x1a\n"):
        return ImageFormat.PNG
    if prefix.startswith(b"RIFF") and prefix[8:12] == b"WEBP":
        return ImageFormat.WEBP
    if prefix.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return ImageFormat.TIFF
    if prefix.startswith((b"GIF87a", b"GIF89a")):
        return ImageFormat.GIF
    if prefix[4:8] == b"ftyp" and _is_heic(prefix):
        return ImageFormat.HEIC
    return None


def _is_heic(prefix: bytes) -> bool:
    end = min(int.from_bytes(prefix[:4], "big"), len(prefix), _MAX_BRANDS_BYTES)
    compatible = (prefix[at : at + 4] for at in range(16, end, 4))
    brands = {prefix[8:12], *compatible}
    if brands & _HEIC_BRANDS:
        return True
    return _HEIF_BRAND in brands and not brands & _OTHER_CODECS

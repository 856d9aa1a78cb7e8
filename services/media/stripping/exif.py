"""The little that stays of a photo's EXIF: how it is turned, and when it was taken."""

from typing import Final

from PIL.ExifTags import IFD, Base
from PIL.Image import Exif

from libs.common.images.reading.exif import loaded

_HEAD: Final = b"Exif\0\0"
#: When it was taken, by the camera's clock, with the zone where one is told.
_MOMENT: Final = (Base.DateTimeOriginal, Base.OffsetTimeOriginal, Base.SubsecTimeOriginal)
#: `2026:07:04 18:30:00`; a longer text is no moment.
_MAX_TEXT: Final = 32


def stripped(block: bytes, *, turned: bool = True) -> bytes:
    """Return the block with nothing but that, from its TIFF header on; empty where there is none.

    Without `turned`, where the container says how the picture is turned.
    """
    before, after = loaded(block), Exif()
    try:
        orientation = before.get(Base.Orientation)
        moment = dict(before.get_ifd(IFD.Exif))
    except Exception:  # noqa: BLE001 - a damaged value says nothing of the image
        return b""
    if turned and isinstance(orientation, int) and 2 <= orientation <= 8:
        after[Base.Orientation] = orientation
    kept = {int(tag): moment[tag] for tag in _MOMENT if _is_text(moment.get(tag))}
    if kept:
        after.get_ifd(IFD.Exif).update(kept)
    return after.tobytes().removeprefix(_HEAD) if len(after) or kept else b""


def _is_text(value: object) -> bool:
    # Digits, signs and colons: a name would not pass.
    return (
        isinstance(value, str)
        and 0 < len(value) <= _MAX_TEXT
        and all(letter in "0123456789:+- \0" for letter in value)
    )

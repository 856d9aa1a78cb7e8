"""What a file is by its name: a photo, a camera's raw file, or neither."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from typing import Final

PHOTOS: Final = frozenset(
    {
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp",
        ".heic", ".heif", ".hif", ".avif", ".tif", ".tiff", ".gif", ".bmp",
    }
)  # fmt: skip
#: What a camera writes beside a raw file, and what is sent in its place.
BESIDE_RAW: Final = frozenset({".jpg", ".jpeg", ".jpe", ".heic", ".heif", ".hif"})
RAWS: Final = frozenset(
    {
        ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq",
        ".k25", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw",
        ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
    }
)  # fmt: skip

#: Those that the server shows by the JPEG in them.
SHOWN_RAWS: Final = frozenset(
    {".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".raf", ".rw2", ".rwl"}
)


class Kind(Enum):
    """What is done with a file of such a name."""

    PHOTO = "photo"
    RAW = "raw"
    OTHER = "other"


def kind_of(name: str) -> Kind:
    """Tell it by the name's suffix, in either case."""
    suffix = PurePath(name).suffix.lower()
    if suffix in PHOTOS:
        return Kind.PHOTO
    return Kind.RAW if suffix in RAWS else Kind.OTHER


@dataclass(frozen=True, slots=True)
class NotSent:
    """Why a file is not sent; `is_loss` where a photo does not reach the event by it."""

    reason: str
    is_loss: bool = True


def reason_not_sent(
    name: str, photos_beside: Iterable[str], *, are_moved: bool = False
) -> NotSent | None:
    """Why a file is not sent by its name, None for what is sent.

    `photos_beside` are the names of the photos in its folder that have the same stem: a raw file
    is one of a pair where a camera's JPEG or HEIC is among them. Where sent photos `are_moved`, the
    JPEG of one that is alone may have been sent.
    """
    match kind_of(name):
        case Kind.PHOTO:
            return None
        case Kind.RAW:
            beside = sorted(n for n in photos_beside if PurePath(n).suffix.lower() in BESIDE_RAW)
            if beside:
                return NotSent(f"Raw file: {beside[0]} beside it is sent.", is_loss=False)
            if PurePath(name).suffix.lower() in SHOWN_RAWS and not are_moved:
                return None
            return NotSent("Raw file without a JPEG beside it. Export it as JPEG.")
        case Kind.OTHER:
            suffix = PurePath(name).suffix
            named = f"Not a photo by its name ({suffix})." if suffix else "Its name has no suffix."
            return NotSent(named, is_loss=False)


def stem_of(name: str) -> str:
    """What the files of one shot have in common; cameras write suffixes in either case."""
    return PurePath(name).stem.casefold()

"""The two facts of EXIF that a list needs. What is malformed in it is as good as absent."""

from dataclasses import dataclass
from datetime import datetime

from PIL.ExifTags import IFD, Base
from PIL.Image import Exif

#: Orientations 5 to 8 exchange width and height.
_TURNED = range(5, 9)


@dataclass(frozen=True, slots=True)
class ExifFacts:
    """Whether the image is stored lying on its side, and the camera's clock when it was taken."""

    is_turned: bool = False
    taken_at: datetime | None = None


def facts_of(exif: Exif) -> ExifFacts:
    """Return what is known; never raises."""
    return ExifFacts(
        is_turned=exif.get(Base.Orientation) in _TURNED,
        taken_at=_moment(_taken_text(exif)),
    )


def facts_of_bytes(data: bytes) -> ExifFacts:
    """The same of EXIF as it lies in a file; never raises."""
    exif = Exif()
    try:
        exif.load(data)
    except Exception:  # noqa: BLE001 - a damaged block says nothing of the image
        return ExifFacts()
    return facts_of(exif)


def _taken_text(exif: Exif) -> object:
    try:
        return exif.get_ifd(IFD.Exif).get(Base.DateTimeOriginal)
    except Exception:  # noqa: BLE001 - a damaged block says nothing of the image
        return None


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        # A camera's clock knows no time zone.
        return datetime.strptime(text.strip(" \0"), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007
    except ValueError:
        return None

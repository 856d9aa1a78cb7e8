"""Which camera took a photo, by what it writes of itself into EXIF."""

from dataclasses import dataclass

from PIL.ExifTags import IFD, Base
from PIL.Image import Exif

_MAX_TEXT = 64


@dataclass(frozen=True, slots=True)
class Camera:
    """Maker, model and the body's serial number, each empty where the camera does not say it."""

    make: str
    model: str
    serial: str


def camera_of(exif: Exif) -> Camera | None:
    """Return the camera, None where neither maker nor model is said; never raises."""
    try:
        serial = exif.get_ifd(IFD.Exif).get(Base.BodySerialNumber)
        make, model = exif.get(Base.Make), exif.get(Base.Model)
    except Exception:  # noqa: BLE001 - a damaged block says nothing of the image
        return None
    camera = Camera(_text(make), _text(model), _text(serial))
    return camera if camera.make or camera.model else None


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    words = value.partition("\0")[0].split()
    return "".join(one for one in " ".join(words) if one.isprintable())[:_MAX_TEXT].strip()

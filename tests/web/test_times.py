"""When photos were taken, in a browser: an event's time zone, and a camera's clock put right."""

import asyncio
from pathlib import Path

import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

from tests.support.node import run_spec
from tests.web.findme import FindMe
from tests.web.test_guest import photos_are_in

NAME = "Dinner in Paris"
#: Maker, model, what its clock shows, and by how much that is ahead of UTC where it says so.
TAKEN = (
    ("Canon", "Canon EOS R6", "14:00", None),
    ("Canon", "Canon EOS R6", "14:10", None),
    ("Apple", "iPhone 15", "14:05", "+02:00"),
    ("Apple", "iPhone 15", "14:15", "+02:00"),
    ("NIKON CORPORATION", "NIKON Z 6", "12:12", "+00:00"),
)
TIMEOUT_SECONDS = 1100
#: Later than that one: what the browser did is then told of.
pytestmark = pytest.mark.timeout(1500)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """One for each of `TAKEN`."""
    paths = []
    for number, (maker, model, time, offset) in enumerate(TAKEN):
        exif = Image.Exif()
        exif[Base.Make], exif[Base.Model] = maker, model
        taken = exif.get_ifd(IFD.Exif)
        taken[Base.DateTimeOriginal] = f"2026:06:13 {time}:00"
        if offset is not None:
            taken[Base.OffsetTimeOriginal] = offset
        path = tmp_path / f"IMG_{number:04}.jpg"
        Image.new("RGB", (320, 240), (50 * number, 90, 60)).save(path, "JPEG", exif=exif)
        paths.append(path)
    return paths


def test_photos_of_several_cameras_stand_in_the_days_order(
    findme: FindMe, chromium: str, run: str, files: list[Path], tmp_path: Path
) -> None:
    place = findme.place(run, name=NAME)
    asyncio.run(photos_are_in(place, files))
    scene = {
        "url": findme.url,
        "code": place.event_code,
        "event": {"id": place.event_id, "name": NAME},
        "photographer": {"username": place.photographer, "password": place.password},
        "chromium": chromium,
        "camera": str(tmp_path / "none.mjpeg"),
    }
    run_spec("times", scene, timeout_seconds=TIMEOUT_SECONDS)

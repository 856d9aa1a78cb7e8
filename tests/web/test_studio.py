"""A photographer's way in a browser, through all that breaks: the network, the page, the server."""

import io
import random
from pathlib import Path

import pytest
from PIL import Image

from tests.support.node import run_spec
from tests.web.findme import FindMe, answered_on_demand

#: Of these the last ones are sent in pieces.
FILES, LARGE_FILES = 50, 2
#: In pixels: 9 MB and 50 KB.
LARGE_SIZE, SMALL_SIZE = (2400, 1800), (160, 120)
NAME = "Spring Fair"
#: Screenshots of every state in six looks take longer than the test.
TIMEOUT_SECONDS = 1100
#: Later than that one: what the browser did is then told of.
pytestmark = pytest.mark.timeout(1500)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Small photos that are all different, and as large files as cameras write."""
    paths = []
    for number in range(FILES):
        path = tmp_path / f"IMG_{number:04}.JPG"
        is_large = number >= FILES - LARGE_FILES
        path.write_bytes(noise(LARGE_SIZE, number) if is_large else noise(SMALL_SIZE, number))
        paths.append(path)
    return paths


def noise(size: tuple[int, int], seed: int) -> bytes:
    """Return a JPEG of noise, which is as large as a file of this size can be."""
    width, height = size
    pixels = random.Random(seed).randbytes(width * height * 3)
    buffer = io.BytesIO()
    Image.frombytes("RGB", size, pixels).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def test_a_photographer_makes_an_event_and_fills_it(
    findme: FindMe, chromium: str, run: str, files: list[Path], tmp_path: Path
) -> None:
    place = findme.place(run, name=NAME)
    nobody = tmp_path / "notes.jpg"
    nobody.write_bytes(b"no photo at all")
    with answered_on_demand(findme.restart) as restart:
        scene = {
            "url": findme.url,
            "code": place.event_code,
            "event": {"id": place.event_id, "name": NAME},
            "photographer": {"username": place.photographer, "password": place.password},
            "files": [str(path) for path in files],
            "nobody": str(nobody),
            "restart": restart,
            "chromium": chromium,
            "camera": str(tmp_path / "none.mjpeg"),
        }
        run_spec("studio", scene, timeout_seconds=TIMEOUT_SECONDS)

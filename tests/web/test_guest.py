"""A guest's whole way in a browser: FindMe with its pipeline, photos, and a camera."""

import asyncio
from pathlib import Path

import pytest

from demo.scenario import Place
from standalone.operators import add_event, operator_database
from standalone.settings import StandaloneSettings
from tests.support.browser import write_camera
from tests.support.damaged_files import segment_starts
from tests.support.node import run_spec
from tests.support.polling import eventually
from tests.support.small_event import SmallEvent
from tests.web.findme import FindMe

NAME = "Gala of the Harbour"
#: With these the picture of a JPEG in colour begins, before any of its pixels.
SCAN_HEADER_BYTES = 14
#: Screenshots of every state in four looks take longer than the test.
TIMEOUT_SECONDS = 1100
#: Later than that one: what the browser did is then told of.
pytestmark = pytest.mark.timeout(1500)


async def event_that_is_over(settings: StandaloneSettings, photographer: str) -> str:
    """Make an event that ends as it begins; return its code."""
    async with operator_database(settings) as database:
        made = await add_event(
            database, name="Last year", photographer=photographer, code=None, days=0
        )
    return made.event_code


async def photos_are_in(place: Place, photos: list[Path]) -> None:
    async with place.api() as photographer:
        await photographer.login(place.photographer, place.password)
        await photographer.upload_photos(place.event_id, photos)

        async def all_done() -> bool:
            url = f"/api/photographer/events/{place.event_id}/progress"
            return bool((await photographer.get(url))["done"] == len(photos))

        await eventually(all_done)


def broken_photo(event: SmallEvent, folder: Path) -> Path:
    """Write a file that breaks off as its picture begins: it is taken, and nothing can be seen."""
    path = folder / "broken.jpg"
    whole = event.photos[0].read_bytes()
    path.write_bytes(whole[: segment_starts(whole)[-1] + SCAN_HEADER_BYTES])
    return path


def test_a_guest_finds_keeps_and_deletes_what_is_theirs(
    findme: FindMe, chromium: str, small_event: SmallEvent, run: str, tmp_path: Path
) -> None:
    guest = small_event.guests(run)[0]
    shown = [path for path in small_event.photos if path.name in (guest.truth or ())]
    others = [path for path in small_event.photos if path not in shown]
    assert len(shown) >= 3
    assert others
    late, *before = shown
    camera = tmp_path / "camera.mjpeg"
    write_camera(guest.selfie, camera)
    place = findme.place(run, name=NAME)
    asyncio.run(photos_are_in(place, [*before, *others]))
    scene = {
        "url": findme.url,
        "code": place.event_code,
        "over": asyncio.run(event_that_is_over(findme.settings, place.photographer)),
        "event": {"id": place.event_id, "name": NAME},
        "photographer": {"username": place.photographer, "password": place.password},
        "photos": len(before) + len(others),
        "own": len(before),
        "late": str(late),
        "selfie": str(guest.selfie),
        "nobody": str(others[0]),
        "camera": str(camera),
        "chromium": chromium,
    }
    run_spec("guest", scene, timeout_seconds=TIMEOUT_SECONDS)

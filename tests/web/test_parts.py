"""An event's parts in the studio: its photos, people, guests and settings, in a browser."""

import asyncio
from pathlib import Path

import pytest

from tests.support.node import run_spec
from tests.support.small_event import SmallEvent
from tests.web.findme import FindMe
from tests.web.test_guest import broken_photo, photos_are_in

NAME = "Gala of the Harbour"
#: Screenshots of every state in six looks take longer than the test.
TIMEOUT_SECONDS = 1100
#: Later than that one: what the browser did is then told of.
pytestmark = pytest.mark.timeout(1500)


def test_a_photographer_looks_after_an_event(
    findme: FindMe, chromium: str, small_event: SmallEvent, run: str, tmp_path: Path
) -> None:
    guest = small_event.guests(run)[0]
    broken = broken_photo(small_event, tmp_path)
    place = findme.place(run, name=NAME)
    asyncio.run(photos_are_in(place, small_event.photos))
    scene = {
        "url": findme.url,
        "code": place.event_code,
        "event": {"id": place.event_id, "name": NAME},
        "photographer": {"username": place.photographer, "password": place.password},
        "photos": len(small_event.photos),
        "own": len(guest.truth or ()),
        "selfie": str(guest.selfie),
        "late": str(broken),
        "chromium": chromium,
        "camera": str(tmp_path / "none.mjpeg"),
    }
    run_spec("parts", scene, timeout_seconds=TIMEOUT_SECONDS)

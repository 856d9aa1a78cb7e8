"""Sharing, walls, the admin's pages and a guest without a network, in a browser."""

import asyncio
import json
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pypdfium2
import pytest
from sqlalchemy import insert

from libs.common.database.tables import dead_letters
from libs.common.web.auth import Role
from services.gallery.accounts.rules import NewAccount
from standalone.operators import add_account, operator_database
from standalone.settings import StandaloneSettings
from tests.support.node import run_spec
from tests.support.polling import PATIENCE_SECONDS
from tests.support.small_event import PASSWORD, SmallEvent
from tests.web.findme import FindMe
from tests.web.test_guest import broken_photo, photos_are_in

NAME, TROUBLED = "Gala of the Harbour", "Ball at the Mill"
TIMEOUT_SECONDS = 1100
#: Later than that one: what the browser did is then told of.
pytestmark = pytest.mark.timeout(1500)
Picture = np.ndarray[Any, Any]
#: Dots a millimetre of what is rendered: coarse, as a phone sees it from afar.
DOTS = 6
MILLIMETRES_A_POINT = 25.4 / 72
NEARNESSES = (1, 0.75, 0.5, 1.5)


async def one_letter_of_an_admin(settings: StandaloneSettings, name: str, photo_event: int) -> None:
    """Make an admin, and a message that was given up."""
    async with operator_database(settings) as database:
        await add_account(
            database,
            NewAccount(username=name, email=f"{name}@example.org", password=PASSWORD),
            Role.ADMIN,
        )
        async with database.unit_of_work() as unit:
            await unit.connection.execute(
                insert(dead_letters).values(
                    message_id=name,
                    queue="findme.match.00",
                    routing_key="photo.analyzed.00",
                    body=json.dumps({"photo_id": 10**9, "event_id": photo_event}).encode(),
                    reason="It was written for this test.",
                    attempts=5,
                )
            )


def rendered(pdf: Path) -> tuple[Picture, tuple[float, float]]:
    """Return the only page as a picture, and its size in millimetres."""
    document = pypdfium2.PdfDocument(pdf)
    assert len(document) == 1
    page = document[0]
    size = page.get_width() * MILLIMETRES_A_POINT, page.get_height() * MILLIMETRES_A_POINT
    picture = page.render(scale=DOTS * MILLIMETRES_A_POINT).to_numpy()
    return np.ascontiguousarray(picture[:, :, :3]), size


def codes_in(picture: Picture, columns: int = 1, rows: int = 1) -> list[str]:
    """Return what the code of each piece of a sheet says; empty where none can be read."""
    height, width = picture.shape[0] // rows, picture.shape[1] // columns
    pieces = [
        picture[row * height : (row + 1) * height, column * width : (column + 1) * width]
        for row in range(rows)
        for column in range(columns)
    ]
    return [code_in(np.ascontiguousarray(piece)) for piece in pieces]


def code_in(picture: Picture) -> str:
    """Return what its code says, as from several distances: from some, OpenCV misses good ones."""
    detector = cv2.QRCodeDetector()
    for nearness in NEARNESSES:
        seen = cv2.resize(picture, None, fx=nearness, fy=nearness, interpolation=cv2.INTER_AREA)
        if said := detector.detectAndDecode(seen)[0]:
            return said
    return ""


def test_what_is_shared_is_printed_shown_and_looked_after(
    findme: FindMe, chromium: str, small_event: SmallEvent, run: str, tmp_path: Path
) -> None:
    place, troubled = findme.place(run, name=NAME), findme.place(f"{run}-t", name=TROUBLED)
    late, *before = small_event.photos[:6]
    asyncio.run(photos_are_in(place, before))
    asyncio.run(one_letter_of_an_admin(findme.settings, f"boss-{run}", place.event_id))
    scene = {
        "url": findme.url,
        "code": place.event_code,
        "event": {"id": place.event_id, "name": NAME},
        "photographer": {"username": place.photographer, "password": place.password},
        "admin": {"username": f"boss-{run}", "password": PASSWORD},
        "photos": len(before),
        "late": str(late),
        "troubled": {
            "event": {"id": troubled.event_id, "name": TROUBLED},
            "photographer": {"username": troubled.photographer, "password": PASSWORD},
            "photo": str(broken_photo(small_event, tmp_path)),
        },
        "saved": str(tmp_path),
        "camera": str(tmp_path / "none.mjpeg"),
        "chromium": chromium,
    }
    run_spec("organise", scene, timeout_seconds=TIMEOUT_SECONDS)
    url = f"{findme.url}/e/{place.event_code}"
    for name, size, pieces in (
        ("poster", (210, 297), (1, 1)),
        ("french", (210, 297), (1, 1)),
        ("cards", (420, 297), (4, 2)),
        ("smallCards", (297, 210), (4, 2)),
    ):
        picture, found = rendered(tmp_path / f"{name}.pdf")
        assert found == pytest.approx(size, abs=0.5)
        columns, rows = pieces
        assert codes_in(picture, columns, rows) == [url] * columns * rows, name
    code = cv2.imread(str(tmp_path / "code.png"))
    assert code is not None
    assert codes_in(code) == [url]
    # Whoever scans it is at the event.
    with httpx.Client(headers={"Accept": "text/html"}, timeout=PATIENCE_SECONDS) as phone:
        assert "<div id=" in phone.get(url).text
        asked = {"event_code": url.rpartition("/")[2]}
        answer = phone.post(f"{findme.url}/api/look-up-event", json=asked)
        assert answer.json()["name"] == NAME

"""What a guest and a photographer wait for in a browser, by `web/measure`, which drives one."""

import asyncio
import gzip
import json
import secrets
import shutil
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.pipeline import CACHE
from benchmarks.report import Goal, Report, Value
from benchmarks.web.crowded_event import add_crowded_event
from demo.command import Cast, compose_cast, make_place
from demo.scenario import Guest, Place
from demo.server import running_server, temporary_data_dir
from libs.common.errors import Unavailable
from services.gallery.browser_app.files import BUILT, has_pages
from standalone.settings import StandaloneSettings
from tests.support.browser import write_camera
from tests.support.node import WEB, run_script
from tests.support.polling import eventually

PHOTOS, QUICK_PHOTOS = 40, 14
CROWD, QUICK_CROWD = 20_000, 2_000
DROPPED, QUICK_DROPPED = 5_000, 500
ROUNDS, QUICK_ROUNDS = 3, 1
#: Photos of the guest that are taken while their page is open.
LATE, QUICK_LATE = 3, 1
MEASURE_MODULES = WEB / "measure" / "node_modules"
ANALYSED_SECONDS = 300
TIMEOUT_SECONDS = 1500

#: What guests and photographers open first, by Lighthouse; a photo in full without its loading.
SCORED = ("landing", "photos", "studio", "viewer")
SCORES = {"performance": 95, "accessibility": 100, "best_practices": 95}

GOALS = {
    "first_page_js_kb": Goal("<=", 90),
    "lcp_s": Goal("<=", 1.5),
    "interactive_s": Goal("<=", 2),
    "layout_shift": Goal("<=", 0.02),
    "qr_to_first_photo_s": Goal("<=", 30),
    "disk_to_page_s": Goal("<=", 2),
    "grid_longest_task_ms": Goal("<=", 50),
    "grid_heap_mb": Goal("<=", 150),
    "drop_longest_task_ms": Goal("<=", 200),
} | {
    f"{page}_{score}": Goal(">=", least)
    for page in SCORED
    for score, least in SCORES.items()
    if (page, score) != ("viewer", "performance")
}


def measure(quick: bool) -> Report:  # noqa: FBT001 - the form of all benchmarks
    """Start FindMe with an event of composed photos and a crowded one, and look at its pages.

    Raises Unavailable where the pages, what builds them, or Chromium are missing.
    """
    browser = shutil.which("chromium")
    if browser is None or not has_pages(BUILT) or not MEASURE_MODULES.exists():
        msg = "This needs Chromium (apt-get install chromium), and what `make bench` installs."
        raise Unavailable(msg)
    report = Report("web", GOALS)
    run = secrets.token_hex(4)
    CACHE.mkdir(exist_ok=True)
    cast = compose_cast(CACHE, QUICK_PHOTOS if quick else PHOTOS, run, Console())
    with temporary_data_dir() as folder:
        settings = StandaloneSettings(findme_data_dir=folder)
        with running_server(settings.data_dir) as server:
            password = f"{secrets.token_urlsafe(12)}A1!"
            place = asyncio.run(make_place(settings, server.url, run=run, password=password))
            late = QUICK_LATE if quick else LATE
            scene = {
                "chromium": browser,
                "rounds": QUICK_ROUNDS if quick else ROUNDS,
                "dropped": QUICK_DROPPED if quick else DROPPED,
                "camera": str(folder / "camera.mjpeg"),
                **asyncio.run(prepared_event(place, cast, late, folder / "camera.mjpeg")),
                "crowdedCode": asyncio.run(
                    add_crowded_event(
                        settings, place.photographer, photos=QUICK_CROWD if quick else CROWD
                    )
                ),
            }
            report.figures = figures(in_browser(scene))
    return report


async def prepared_event(place: Place, cast: Cast, late: int, camera: Path) -> dict[str, Any]:
    """Upload all photos but the last few of a guest; return what the browser is to know.

    `camera` is written: what the guest's phone sees.
    """
    guest = most_photographed(cast)
    own = [photo for photo in cast.photos if photo.name in (guest.truth or ())]
    kept_back = own[-late:]
    before = [photo for photo in cast.photos if photo not in kept_back]
    write_camera(guest.selfie, camera)
    async with place.api() as photographer:
        await photographer.login(place.photographer, place.password)
        await photographer.upload_photos(place.event_id, before)
        progress = f"/api/photographer/events/{place.event_id}/progress"

        async def all_analysed() -> bool:
            return bool((await photographer.get(progress))["done"] == len(before))

        await eventually(all_analysed, timeout=ANALYSED_SECONDS, poll_seconds=0.5)
    return {
        "url": place.base_url,
        "code": place.event_code,
        "event": place.event_id,
        "photographer": {"username": place.photographer, "password": place.password},
        "late": [str(photo) for photo in kept_back],
    }


def most_photographed(cast: Cast) -> Guest:
    """The guest with the most photos."""
    return max(cast.guests, key=lambda guest: len(guest.truth or ()))


def in_browser(scene: dict[str, Any]) -> dict[str, Any]:
    """Return what `web/measure` measured. Raises Unavailable, with what the browser said."""
    done = run_script(
        WEB / "measure" / "measure.ts",
        folder=WEB,
        environment={"FINDME_SCENE": json.dumps(scene)},
        timeout_seconds=TIMEOUT_SECONDS,
    )
    if done.returncode != 0:
        raise Unavailable(done.stdout + done.stderr)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def figures(measured: dict[str, Any]) -> dict[str, Value]:
    """What the browser measured, with the size of what it loaded."""
    scripts = [BUILT / path.lstrip("/") for path in measured.pop("firstPageScripts")]
    bytes_sent = sum(len(gzip.compress(script.read_bytes(), 9)) for script in scripts)
    return {"first_page_js_kb": round(bytes_sent / 1024, 1)} | measured

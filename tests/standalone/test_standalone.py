import io
import re
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from PIL import Image

from demo.api import Api
from demo.command import make_place
from demo.scenario import Place, run_scenario
from demo.server import Server, running_server
from standalone.postgres import embedded_postgres
from standalone.settings import StandaloneSettings
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.small_event import PASSWORD, SmallEvent
from tests.support.terminal import at_a_terminal


async def place_on(server: Server, data_dir: Path, run: str) -> Place:
    settings = StandaloneSettings(findme_data_dir=data_dir)
    return await make_place(settings, server.url, run=run, password=PASSWORD)


@asynccontextmanager
async def photographer_of(place: Place) -> AsyncIterator[Api]:
    async with place.api() as api:
        await api.login(place.photographer, place.password)
        yield api


async def test_every_guest_gets_their_photos_and_a_second_start_still_has_them(
    data_dir: Path, small_event: SmallEvent, run: str
) -> None:
    guests = small_event.guests(run)
    with running_server(data_dir) as server:
        place = await place_on(server, data_dir, run)
        result = await run_scenario(place, small_event.photos, guests, password=PASSWORD)
        assert result.precision == 1.0
        assert result.recall >= 0.95
        assert result.match_latencies
    with running_server(data_dir) as server:
        async with Api(server.url) as guest:
            await guest.login(guests[0].name, PASSWORD)
            listed = await guest.get("/api/my-photos")
            assert {photo["original_filename"] for photo in listed} == result.guests[0].found
            # The signed link of the first run is the link of the second: caches stay warm.
            async with httpx.AsyncClient(
                base_url=server.url, timeout=PATIENCE_SECONDS
            ) as anonymous:
                photo = await anonymous.get(listed[0]["url"])
                uploaded = next(
                    path
                    for path in small_event.photos
                    if path.name == listed[0]["original_filename"]
                )
                # A copy without place and names, of the same pixels.
                with Image.open(io.BytesIO(photo.content)) as copy, Image.open(uploaded) as whole:
                    assert copy.tobytes() == whole.tobytes()
                kept = photo.headers["Cache-Control"]
                assert re.fullmatch(r"private, max-age=\d+, immutable", kept), kept


async def test_kill_9_loses_nothing_and_the_next_start_says_what_it_found(
    data_dir: Path, small_event: SmallEvent, run: str
) -> None:
    with running_server(data_dir) as server:
        place = await place_on(server, data_dir, run)
        async with photographer_of(place) as photographer:
            await photographer.upload_photos(place.event_id, small_event.photos)
            killed = await photographer.get(f"/api/photographer/events/{place.event_id}/progress")
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
    assert killed["done"] + killed["failed"] < len(small_event.photos)
    with running_server(data_dir) as server:
        place = Place(server.url, place.event_id, place.event_code, place.photographer, PASSWORD)
        async with photographer_of(place) as photographer:

            async def all_done() -> bool:
                progress = await photographer.get(
                    f"/api/photographer/events/{place.event_id}/progress"
                )
                return bool(progress["done"] == len(small_event.photos))

            await eventually(all_done)
        assert "unfinished_work_published_again" in server.log.read_text()


async def test_a_photo_that_a_guest_denies_leaves_their_list_and_stays_away_after_a_rematch(
    data_dir: Path, small_event: SmallEvent, run: str
) -> None:
    who = small_event.guests(run)[0]
    theirs = [path for path in small_event.photos if path.name in (who.truth or ())][:2]
    with running_server(data_dir) as server:
        place = await place_on(server, data_dir, run)
        async with photographer_of(place) as photographer, place.api() as guest:
            await guest.register(who.name, PASSWORD, place.event_code)
            await guest.login(who.name, PASSWORD)
            await guest.upload_selfie(who.selfie)
            await photographer.upload_photos(place.event_id, theirs)

            async def listed() -> set[str]:
                return {photo["original_filename"] for photo in await guest.get("/api/my-photos")}

            async def all_are_there() -> bool:
                return await listed() == {path.name for path in theirs}

            await eventually(all_are_there)
            denied, *_ = await guest.get("/api/my-photos")
            await guest.post(f"/api/my-photos/{denied['id']}/not-me")

            async def it_is_gone() -> bool:
                return denied["original_filename"] not in await listed()

            await eventually(it_is_gone)
            matched = await guest.get("/api/rematch-status")
            await photographer.post(f"/api/photographer/events/{place.event_id}/rematch")

            async def matched_again() -> bool:
                status = await guest.get("/api/rematch-status")
                return bool(status.get("finished_at", 0) > matched["finished_at"])

            await eventually(matched_again)
            assert len(await listed()) == len(theirs) - 1
            assert await it_is_gone()


async def test_a_batch_with_bad_files_names_each_and_keeps_the_rest(
    data_dir: Path, small_event: SmallEvent, run: str, tmp_path: Path
) -> None:
    good = small_event.photos[0]
    bad = {"notes.jpg": b"not an image at all", "empty.jpg": b""}
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(small_event.photos[1].read_bytes()[:100_000])
    with running_server(data_dir) as server:
        place = await place_on(server, data_dir, run)
        async with photographer_of(place) as photographer:
            answer = await photographer.upload_photos(
                place.event_id, [good, *(tmp_path / name for name in bad), cut]
            )
            assert {failed["filename"] for failed in answer["failed_uploads"]} == set(bad)
            assert answer["enqueued"] == 2

            async def shown() -> bool:
                photos = await photographer.get(f"/api/photographer/events/{place.event_id}/photos")
                statuses = {
                    photo["original_filename"]: (
                        photo["processing_status"],
                        bool(photo["processing_error"]),
                        bool(photo["processing_note"]),
                    )
                    for photo in photos
                }
                return statuses == {
                    good.name: ("done", False, False),
                    "cut.jpg": ("done", False, True),
                }

            await eventually(shown)


@pytest.mark.parametrize("told_by", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_told_to_stop_it_ends_cleanly_with_its_workers_and_its_database(
    data_dir: Path, told_by: signal.Signals
) -> None:
    with running_server(data_dir) as server:
        children = psutil.Process(server.process.pid).children(recursive=True)
        database = psutil.Process(
            int((data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        )
        assert children
        server.process.send_signal(told_by)
        assert server.process.wait(PATIENCE_SECONDS) == 0
    gone, alive = psutil.wait_procs([*children, database], timeout=PATIENCE_SECONDS)
    assert not alive, f"left behind: {alive}, gone: {len(gone)}"


def test_a_second_start_on_the_same_folder_is_refused_in_one_sentence(data_dir: Path) -> None:
    with running_server(data_dir):
        second = subprocess.run(
            [sys.executable, "-m", "cli", "up", "--data-dir", data_dir, "--port", "0"],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
    assert second.returncode == 1
    assert "already running" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_terminal_is_told_what_the_first_admin_is_made_with_and_a_log_is_not(
    data_dir: Path, tmp_path: Path
) -> None:
    """And where phones open it, with a QR code; "ready" is the last that one reads."""
    printed = re.compile(r"setup token ([0-9a-f]{32}) ")
    account = {"username": "boss", "email": "boss@example.com", "password": PASSWORD}
    with running_server(data_dir) as server:
        assert "There is no admin yet" in (log := server.log.read_text())
        assert not re.search(r"\b[0-9a-f]{32}\b", log)
        assert stat.S_IMODE(server.log.stat().st_mode) == 0o600
        assert "Only this machine can open it" in log
    ready = tmp_path / "ready"
    with at_a_terminal(data_dir, "--host", "0.0.0.0", "--ready-file", str(ready)) as shown:
        url = ready.read_text().strip()
        lines = shown.strip().splitlines()
        told = re.fullmatch(r"FindMe is ready at (http://\S+:\d+) \(Ctrl-C stops it\)", lines[-1])
        assert told is not None, lines[-5:]
        assert "//0.0.0.0" not in told[1]
        assert f"Phones open {told[1]}" in lines
        assert any(line.strip().count("█") > 15 for line in lines)
        assert "choose a photo" in shown
        assert "partition_claimed" not in shown
        found = printed.search(shown)
        assert found is not None
        refused = httpx.post(f"{url}/api/register-admin", json=account, timeout=PATIENCE_SECONDS)
        assert refused.status_code == 403
        headers = {"X-Setup-Token": found[1]}
        made = httpx.post(
            f"{url}/api/register-admin", json=account, headers=headers, timeout=PATIENCE_SECONDS
        )
        assert made.status_code == 200, made.text
    with running_server(data_dir) as server:
        # Of the first start alone.
        assert server.log.read_text().count("There is no admin yet") == 1


def test_commands_make_accounts_and_events_without_a_running_server(data_dir: Path) -> None:
    def findme(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "cli", *arguments, "--data-dir", str(data_dir)],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return done.stdout

    with embedded_postgres(data_dir):
        pass  # as a server leaves it that ran before
    account = ["--email", "ann@example.com", "--password", PASSWORD]
    assert "has the id 1" in findme("photographer", "create", "--username", "ann", *account)
    code = findme("event", "create", "--name", "Gala", "--photographer", "ann", "--code", "GALA26")
    assert "GALA26" in code
    assert "accounts" in findme("status")

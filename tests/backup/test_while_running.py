import subprocess
import sys
from pathlib import Path

import httpx

from demo.api import Api
from demo.command import make_place
from demo.server import running_server
from standalone.settings import StandaloneSettings
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.small_event import PASSWORD, SmallEvent


def findme(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def folder_with_models(folder: Path, model_dir: Path) -> Path:
    folder.mkdir()
    (folder / "models").symlink_to(model_dir)
    return folder


async def test_a_data_folder_backed_up_while_it_serves_goes_on_in_another_folder(
    tmp_path: Path, model_dir: Path, small_event: SmallEvent, run: str
) -> None:
    here = folder_with_models(tmp_path / "here", model_dir)
    there = folder_with_models(tmp_path / "there", model_dir)
    backup = str(tmp_path / "backup")
    with running_server(here) as server:
        settings = StandaloneSettings(findme_data_dir=here)
        place = await make_place(settings, server.url, run=run, password=PASSWORD)
        path = f"/api/photographer/events/{place.event_id}/photos"
        async with place.api() as photographer:
            await photographer.login(place.photographer, PASSWORD)
            await photographer.upload_photos(place.event_id, small_event.photos[:3])

            async def done() -> bool:
                photos = await photographer.get(path)
                return {photo["processing_status"] for photo in photos} == {"done"}

            await eventually(done)
            findme("backup", backup, "--data-dir", str(here))
            before = await photographer.get(path)
    findme("restore", backup, "--data-dir", str(there))
    with running_server(there) as server:
        async with Api(server.url) as photographer:
            await photographer.login(place.photographer, PASSWORD)
            # The secret came along, and so every link that browsers have kept.
            assert await photographer.get(path) == before
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_SECONDS) as anonymous:
            kept = {photo["original_filename"]: photo["url"] for photo in before}
            for photo in small_event.photos[:3]:
                assert (await anonymous.get(kept[photo.name])).content == photo.read_bytes()

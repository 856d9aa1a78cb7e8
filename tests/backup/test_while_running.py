import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from demo.api import Api
from demo.command import make_place
from demo.server import running_server
from standalone.settings import StandaloneSettings
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.process_fixtures import new_data_dir
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


@pytest.fixture
def other_data_dir(model_dir: Path) -> Iterator[Path]:
    with new_data_dir(model_dir) as folder:
        yield folder


async def test_a_data_folder_backed_up_while_it_serves_goes_on_in_another_folder(
    data_dir: Path, other_data_dir: Path, tmp_path: Path, small_event: SmallEvent, run: str
) -> None:
    backup = str(tmp_path / "backup")
    with running_server(data_dir) as server:
        settings = StandaloneSettings(findme_data_dir=data_dir)
        place = await make_place(settings, server.url, run=run, password=PASSWORD)
        path = f"/api/photographer/events/{place.event_id}/photos"
        async with place.api() as photographer:
            await photographer.login(place.photographer, PASSWORD)
            await photographer.upload_photos(place.event_id, small_event.photos[:3])

            async def done() -> bool:
                photos = await photographer.get(path)
                return {photo["processing_status"] for photo in photos} == {"done"}

            await eventually(done)
            findme("backup", backup, "--data-dir", str(data_dir))
            before = await photographer.get(path)
    findme("restore", backup, "--data-dir", str(other_data_dir))
    with running_server(other_data_dir) as server:
        async with Api(server.url) as photographer:
            await photographer.login(place.photographer, PASSWORD)
            # The secret came along, and so every link that browsers have kept.
            assert await photographer.get(path) == before
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_SECONDS) as anonymous:
            kept = {photo["original_filename"]: photo["url"] for photo in before}
            for photo in small_event.photos[:3]:
                assert (await anonymous.get(kept[photo.name])).content == photo.read_bytes()

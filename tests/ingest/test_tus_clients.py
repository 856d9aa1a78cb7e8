"""The field's own clients of tus 1.0 send photos over broken connections to two replicas."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from tusclient.client import TusClient

from services.ingest.resumable.rules import PART_BYTES
from tests.ingest.test_resumable_uploads import only_photo_is
from tests.ingest.test_resumed_after_breaks import Replicas, replicas
from tests.support.breaking_proxy import BreakingProxy
from tests.support.image_files import large_jpeg
from tests.support.node import NODE, NODE_MODULES, require_node
from tests.support.own_process import own_process

__all__ = ["replicas"]

CONTENT = large_jpeg(PART_BYTES + 3_000_000)
#: Both in the first part and in the second, and where there is next to nothing.
BREAKS = [900, 5_000_000, 300_000, 4_000_000]
CLIENT_SECONDS = 100
SCRIPT = Path(__file__).with_name("tus_js_client.mjs")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "IMG_1.JPG"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunkSize": 2_000_000, "uploadDataDuringCreation": True},
        {"chunkSize": 2_000_000, "overridePatchMethod": True},
    ],
    ids=["as it is", "in pieces from the start", "by POST alone"],
)
async def test_tus_js_client_sends_a_photo_once(
    replicas: Replicas, file: Path, options: dict[str, object]
) -> None:
    require_node()
    # Node looks for modules beside the script.
    script = shutil.copy(SCRIPT, file.parent)
    (file.parent / "node_modules").symlink_to(NODE_MODULES)
    # A creation whose answer is lost is begun anew: the client does not know of it.
    breaks = [size for size in BREAKS if size < 2_000_000] if options else BREAKS
    async with BreakingProxy(replicas.urls, breaks).running() as proxy:
        asked = options | {
            "file": str(file),
            "endpoint": f"{proxy.url}/api/uploads",
            "headers": replicas.gallery.headers,
            "retryDelays": [0, 0, 100, 200, 400, 800],
            "metadata": {
                "filename": file.name,
                "filetype": "image/jpeg",
                "event_id": str(replicas.gallery.event_id),
            },
        }
        async with (
            own_process(
                NODE / "node",
                "--preserve-symlinks",
                script,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            ) as process,
            asyncio.timeout(CLIENT_SECONDS),
        ):
            out, failure = await process.communicate(json.dumps(asked).encode())
        assert process.returncode == 0, failure.decode()
        assert proxy.broken == len(breaks)

    photo = await only_photo_is(replicas.gallery, CONTENT)
    assert json.loads(out) == {
        "FindMe-Photo-Id": str(photo.id),
        "FindMe-Job-Id": photo.filename.partition(".")[0],
        "FindMe-Status": "queued",
    }


@pytest.mark.parametrize("options", [{}, {"chunk_size": 2_000_000, "upload_checksum": True}])
async def test_tuspy_sends_a_photo_once(
    replicas: Replicas, file: Path, options: dict[str, object]
) -> None:
    # Checked bodies count as a whole: the largest piece has to come through in the end.
    breaks = BREAKS[1:] if not options else [1_000_000, 300_000]
    async with BreakingProxy(replicas.urls, breaks).running() as proxy:

        def send() -> None:
            client = TusClient(f"{proxy.url}/api/uploads", headers=replicas.gallery.headers)
            # Of a path it opens the file over and over, and closes none.
            with file.open("rb") as stream:
                client.uploader(
                    file_stream=stream,
                    metadata={"filename": file.name, "event_id": str(replicas.gallery.event_id)},
                    retries=6,
                    retry_delay=0,
                    **options,
                ).upload()

        async with asyncio.timeout(CLIENT_SECONDS):
            await asyncio.to_thread(send)
        assert proxy.broken == len(breaks)
    photo = await only_photo_is(replicas.gallery, CONTENT)
    assert photo.original_filename == "IMG_1.JPG"

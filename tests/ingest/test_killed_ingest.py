"""Ingest as a process that is killed in the middle of an upload."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from libs.common.messaging.bus.rabbitmq.declare import declare
from libs.common.messaging.bus.topology import findme_topology
from services.ingest.resumable.rules import PART_BYTES
from tests.ingest.conftest import Gallery
from tests.ingest.test_resumable_uploads import only_photo_is, rows
from tests.ingest.tus import Tus
from tests.support.image_files import large_jpeg
from tests.support.people import SECRET
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.services import free_port


async def test_another_replica_goes_on_where_the_killed_one_had_stored(
    gallery: Gallery, database_url: str, amqp_url: str, tmp_path: Path
) -> None:
    content = large_jpeg(2 * PART_BYTES + 12_345)
    tus = Tus.of(gallery)
    port = free_port()
    await declare(amqp_url, findme_topology())
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "AMQP_URL": amqp_url,
        "SECRET_KEY": SECRET,
        "PHOTO_STORE_DIR": str(gallery.ingest.settings.photo_store_dir),
        "DB_POOL_SIZE": "5",
        "PORT": str(port),
    }
    log = tmp_path / "log"
    with log.open("wb") as output:
        service = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [sys.executable, "-m", "services.ingest"],
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client:

            async def is_up() -> bool:
                try:
                    return (await client.get("/livez")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(is_up, message=lambda: log.read_text()[-3000:])
        location = await tus.create(len(content))
        _, writer = await tus.begin_patch(
            url, location, 0, announced=len(content), body=content[: PART_BYTES + 3_000_000]
        )
        # The first part is safe, and the second is on its way.
        await eventually(lambda: first_part_is_noted(gallery))
        service.send_signal(signal.SIGKILL)
        service.wait()
        writer.close()
    finally:
        service.kill()
        service.wait()

    assert await tus.offset(location) == PART_BYTES
    answer = await tus.patch(location, PART_BYTES, content[PART_BYTES:])
    assert answer.headers["FindMe-Status"] == "queued"
    await only_photo_is(gallery, content)


async def first_part_is_noted(gallery: Gallery) -> bool:
    [upload] = await rows(gallery)
    return bool(upload.received)

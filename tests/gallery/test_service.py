"""The service in a process of its own, against RabbitMQ, as it is deployed."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from libs.common.database.database import Database
from libs.common.messaging.bus.open import open_bus
from libs.common.messaging.bus.rabbitmq import declare
from libs.common.messaging.bus.topology import findme_topology
from libs.common.messaging.messages import PhotoMatched
from services.gallery.app import create_app
from services.gallery.settings import GallerySettings
from tests.gallery.streams import open_stream
from tests.gallery.world import World
from tests.support.people import SECRET
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.services import free_port
from tests.support.settings import settings_of


@pytest.fixture
async def world(database_url: str, amqp_url: str) -> AsyncIterator[World]:
    """Makes rows and publishes messages from another process than the service's."""
    topology = findme_topology()
    await declare(amqp_url, topology)
    settings = settings_of(GallerySettings, database_url)
    async with (
        Database.open(settings) as database,
        open_bus(amqp_url, topology) as bus,
        httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client,
    ):
        yield World(database, create_app(settings), client, bus)


async def test_a_message_published_elsewhere_reaches_cache_and_stream_and_sigterm_ends_both(
    world: World, database_url: str, amqp_url: str, tmp_path: Path
) -> None:
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    selfie_id = await world.selfie(guest)
    photo_id = await world.photo(event_id)
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "AMQP_URL": amqp_url,
        "SECRET_KEY": SECRET,
        "PHOTO_STORE_DIR": str(tmp_path / "store"),
        "DB_POOL_SIZE": "5",
        "PORT": str(port),
    }
    with (tmp_path / "log").open("wb") as log:
        service = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [sys.executable, "-m", "services.gallery"], env=environment, stderr=log
        )
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS
        ) as client:

            async def is_ready() -> bool:
                try:
                    return (await client.get("/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(is_ready, message=lambda: (tmp_path / "log").read_text()[-3000:])
            async with open_stream(client, event_id, guest.headers) as stream:
                answer = await client.get("/api/my-photos", headers=guest.headers)
                assert answer.json() == []
                await world.match(guest, event_id, [photo_id], selfie_id)
                await world.publish(
                    PhotoMatched(event_id=event_id, photo_id=photo_id, user_ids=(guest.id,))
                )
                assert await stream.wait_for(1) == [("photo.matched", {"photo_id": photo_id})]
                answer = await client.get("/api/my-photos", headers=guest.headers)
                assert [photo["id"] for photo in answer.json()] == [photo_id]

                service.send_signal(signal.SIGTERM)
                await eventually(lambda: service.poll() is not None)
                assert service.returncode in {0, -signal.SIGTERM}
                await eventually(lambda: stream.has_ended)
                # What uvicorn says when it has waited in vain for a stream to end.
                assert "graceful shutdown exceeded" not in (tmp_path / "log").read_text()
    finally:
        service.kill()
        service.wait()

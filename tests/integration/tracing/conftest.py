"""All four services in one process, on either bus, with spans kept in memory."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from libs.common.bus.rabbitmq.declare import declare
from libs.common.bus.topology import findme_topology
from libs.common.resources import Resources, open_resources
from libs.common.settings import CommonSettings
from services.gallery.app import create_app as create_gallery
from services.gallery.settings import GallerySettings
from services.ingest.app import create_app as create_ingest
from services.ingest.settings import IngestSettings
from services.media.app import create_app as create_media
from services.media.settings import MediaSettings
from services.recognition.app import create_app as create_recognition
from services.recognition.engine.workers import EngineFactory
from services.recognition.settings import RecognitionSettings
from standalone.gateway import gateway_app
from tests.support.people import Person
from tests.support.scripted_engine import ScriptedEngine
from tests.support.settings import settings_of
from tests.support.spans import Spans, recording_spans
from tests.support.world import World

RETRY_DELAYS = (0.1, 0.2)


@dataclass(frozen=True)
class Stack:
    """The services behind their gateway."""

    client: httpx.AsyncClient
    resources: Resources
    world: World

    async def upload(
        self, photographer: Person, event_id: int, *files: tuple[str, bytes]
    ) -> dict[str, Any]:
        answer = await self.client.post(
            f"/api/photographer/events/{event_id}/upload-photos",
            headers=photographer.headers,
            files=[("files", (name, content, "image/jpeg")) for name, content in files],
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


StackFactory = Callable[[EngineFactory], AbstractAsyncContextManager[Stack]]


@pytest.fixture
def spans() -> Iterator[Spans]:
    with recording_spans() as spans:
        yield spans


@pytest.fixture(params=["in_process", "rabbitmq"])
def amqp(request: pytest.FixtureRequest) -> str | None:
    return request.getfixturevalue("amqp_url") if request.param == "rabbitmq" else None


@pytest.fixture
async def stack_of(
    database_url: str, tmp_path: Path, amqp: str | None, spans: Spans
) -> StackFactory:
    """Starts the services with an engine; `spans` records them all."""
    del spans
    common: dict[str, Any] = {
        "photo_store_dir": tmp_path / "objects",
        "amqp_url": amqp,
        "retry_delays_seconds": RETRY_DELAYS,
    }
    if amqp is not None:
        await declare(amqp, findme_topology(RETRY_DELAYS))

    @asynccontextmanager
    async def running(engine: EngineFactory) -> AsyncIterator[Stack]:
        settings = settings_of(CommonSettings, database_url, **common)
        async with open_resources(settings, name="test") as resources:
            recognition = create_recognition(
                settings_of(RecognitionSettings, database_url, photo_queue_workers=2, **common),
                resources,
                engine_factory=engine,
            )
            app = gateway_app(
                {
                    "recognition": recognition,
                    "gallery": create_gallery(
                        settings_of(GallerySettings, database_url, **common), resources
                    ),
                    "media": create_media(
                        settings_of(MediaSettings, database_url, **common), resources
                    ),
                    "ingest": create_ingest(
                        settings_of(IngestSettings, database_url, **common),
                        resources,
                        recognition_transport=httpx.ASGITransport(recognition),
                    ),
                }
            )
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(app), base_url="http://findme.test"
                ) as client,
            ):
                yield Stack(client, resources, World(resources.database, resources.store))

    return running


@pytest.fixture
async def stack(stack_of: StackFactory) -> AsyncIterator[Stack]:
    async with stack_of(ScriptedEngine) as stack:
        yield stack

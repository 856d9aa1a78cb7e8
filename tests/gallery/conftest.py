import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.common.database.database import Database
from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.bus.topology import findme_topology
from libs.common.resources import Resources
from libs.common.storage.folder import FolderStore
from services.gallery.app import create_app
from services.gallery.settings import GallerySettings
from tests.gallery.world import World
from tests.support.http_server import calling
from tests.support.settings import settings_of


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """The service, called without a socket; no relay runs, so messages stay in the outbox."""
    settings = settings_of(GallerySettings, database_url)
    topology = findme_topology()
    bus = InProcessBus(topology)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(bus.close)
        database = await stack.enter_async_context(Database.open(settings))
        store = await FolderStore.open(tmp_path / "store")
        app = create_app(settings, Resources(database, bus, store, topology))
        client = await stack.enter_async_context(calling(app))
        yield World(database, app, client, bus)

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
from tests.gallery.world import SETUP_TOKEN, World
from tests.support.http_server import calling
from tests.support.own_role import with_own_role
from tests.support.settings import settings_of


@pytest.fixture
def settings(database_url: str) -> GallerySettings:
    return settings_of(GallerySettings, database_url, setup_token=SETUP_TOKEN)


@pytest.fixture
async def world(settings: GallerySettings, tmp_path: Path) -> AsyncIterator[World]:
    """The service, called without a socket; no relay runs, so messages stay in the outbox."""
    topology = findme_topology()
    bus = InProcessBus(topology)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(bus.close)
        database = await stack.enter_async_context(Database.open(settings))
        store = await FolderStore.open(tmp_path / "store")
        resources = Resources(database, bus, store, topology)
        own = await stack.enter_async_context(with_own_role(resources, settings, "gallery"))
        app = create_app(settings, own)
        client = await stack.enter_async_context(calling(app))
        yield World(database, app, client, bus)

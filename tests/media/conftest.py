from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.common.storage.folder import FolderStore
from libs.common.storage.protocol import ObjectStore
from services.media.settings import MediaSettings
from tests.media.world import World, running_world
from tests.support.settings import settings_of
from tests.support.stores import KINDS, opened


@pytest.fixture
async def folder_store(tmp_path: Path) -> FolderStore:
    return await FolderStore.open(tmp_path / "store")


@pytest.fixture(params=KINDS)
async def any_store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ObjectStore]:
    async with opened(request.param, request, tmp_path) as both:
        yield both.store


@pytest.fixture
async def world(database_url: str, folder_store: FolderStore) -> AsyncIterator[World]:
    """The service over the folder store."""
    async with running_world(settings_of(MediaSettings, database_url), folder_store) as world:
        yield world


@pytest.fixture
async def any_world(database_url: str, any_store: ObjectStore) -> AsyncIterator[World]:
    """The service over each kind of store."""
    async with running_world(settings_of(MediaSettings, database_url), any_store) as world:
        yield world

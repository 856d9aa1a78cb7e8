from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.common.database.database import Database
from libs.common.settings import CommonSettings
from tests.support.settings import settings_of


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> CommonSettings:
    return settings_of(CommonSettings, database_url, photo_store_dir=tmp_path / "objects")


@pytest.fixture
async def database(settings: CommonSettings) -> AsyncIterator[Database]:
    async with Database.open(settings) as database:
        yield database

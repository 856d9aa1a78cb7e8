from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.common.database import Database
from libs.common.settings import CommonSettings


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> CommonSettings:
    return CommonSettings(
        database_url=database_url,
        db_pool_size=5,
        db_max_overflow=5,
        secret_key="a secret that is used by the tests only",
        photo_store_dir=tmp_path / "objects",
    )


@pytest.fixture
async def database(settings: CommonSettings) -> AsyncIterator[Database]:
    async with Database.open(settings) as database:
        yield database

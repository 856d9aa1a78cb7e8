from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from libs.common.database.database import Database
from libs.common.database.migrate import MIGRATIONS
from libs.common.database.schema import SchemaTooOld, is_too_old, revisions, verify_schema
from libs.common.resources import open_resources
from libs.common.settings import CommonSettings
from tests.support.databases import Databases
from tests.support.settings import settings_of


def test_the_newest_revision_is_told_by_its_files_name() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert max(revisions()) == ScriptDirectory.from_config(config).get_current_head()


@pytest.mark.parametrize(
    ("found", "too_old"), [(None, True), ("0001", True), ("0002", False), ("0003", False)]
)
def test_only_a_schema_older_than_the_newest_known_is_too_old(
    found: str | None, *, too_old: bool
) -> None:
    assert is_too_old(found, ["0001", "0002"]) is too_old


async def test_a_service_refuses_a_database_that_waits_for_its_migration(
    databases: Databases, tmp_path: Path
) -> None:
    async with databases.empty() as url:
        settings = settings_of(CommonSettings, url, photo_store_dir=tmp_path)
        with pytest.raises(SchemaTooOld, match=r"no schema.*run `findme migrate`"):
            async with open_resources(settings, name="test"):
                raise AssertionError


async def test_a_database_that_is_away_is_not_the_schemas_fault(tmp_path: Path) -> None:
    settings = settings_of(CommonSettings, f"postgresql://ann@/findme?host={tmp_path}")
    async with Database.open(settings) as database:
        await verify_schema(database)

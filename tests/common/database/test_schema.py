import uuid
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from libs.common.database import connections
from libs.common.database.connections import SessionRefused
from libs.common.database.database import Database
from libs.common.database.migrate import MIGRATIONS
from libs.common.database.schema import SchemaTooOld, is_too_old, revisions, verify_schema
from libs.common.database.sqlstates import is_away
from libs.common.resources import open_resources
from libs.common.settings import CommonSettings
from tests.support.databases import Databases
from tests.support.refusing_pooler import refusing_pooler
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


@pytest.mark.parametrize(
    ("parameter", "value"), [("no_such_parameter", "1"), ("statement_timeout", "soon")]
)
async def test_a_parameter_that_the_server_refuses_is_named_and_is_not_the_schemas_fault(
    settings: CommonSettings, monkeypatch: pytest.MonkeyPatch, parameter: str, value: str
) -> None:
    monkeypatch.setattr(connections, "server_settings", lambda _: {parameter: value})
    async with Database.open(settings) as database:
        with pytest.raises(SessionRefused, match=rf"{parameter}.*no pooler in between"):
            await database.check()
        with capture_logs() as logs:
            await verify_schema(database)
    assert [parameter in str(each["error"]) for each in logs] == [True]


async def test_a_pooler_that_refuses_a_parameter_is_named(tmp_path: Path) -> None:
    async with refusing_pooler("client_connection_check_interval") as url:
        settings = settings_of(CommonSettings, url, photo_store_dir=tmp_path)
        async with Database.open(settings) as database:
            with pytest.raises(SessionRefused, match="client_connection_check_interval") as caught:
                await database.check()
    assert is_away(caught.value)


async def test_a_schema_that_may_not_be_read_is_there(
    database: Database, settings: CommonSettings
) -> None:
    role = f"stranger_{uuid.uuid4().hex[:12]}"
    async with database.read() as connection:
        await connection.execute(text(f"CREATE ROLE {role}"))
        name = await connection.scalar(text("SELECT current_database()"))
        await connection.execute(text(f'ALTER DATABASE "{name}" SET role = {role}'))
    try:
        async with Database.open(settings) as stranger:
            with pytest.raises(DBAPIError, match="permission denied"):
                await verify_schema(stranger)
    finally:
        async with database.read() as connection:
            await connection.execute(text(f'ALTER DATABASE "{name}" RESET role'))
            await connection.execute(text(f"DROP ROLE {role}"))

"""The runbook's SQL runs on the newest schema, and reads only."""

import re

import pytest
from sqlalchemy import text

from libs.common.database.database import Database
from libs.common.settings import CommonSettings
from tests.support.monitoring import PROJECT
from tests.support.settings import settings_of


def statements() -> list[str]:
    runbook = (PROJECT / "RUNBOOK.md").read_text()
    blocks = re.findall(r"^```sql\n(.*?)^```", runbook, re.MULTILINE | re.DOTALL)
    found = [statement.strip() for block in blocks for statement in block.split(";\n")]
    return [statement for statement in found if statement]


def test_there_are_statements() -> None:
    assert len(statements()) > 10


@pytest.mark.parametrize("statement", statements(), ids=lambda text: text[:40])
async def test_a_statement_runs_and_changes_nothing(statement: str, database_url: str) -> None:
    async with (
        Database.open(settings_of(CommonSettings, database_url)) as database,
        database.unit_of_work() as unit,
    ):
        await unit.connection.execute(text("SET TRANSACTION READ ONLY"))
        await unit.connection.execute(text(statement))

"""The runbook's SQL runs on the newest schema, and reads only."""

import re

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from libs.common.database.database import Database
from libs.common.settings import CommonSettings
from tests.support.monitoring import PROJECT
from tests.support.settings import settings_of


def statements() -> list[str]:
    runbook = (PROJECT / "docs" / "operate" / "runbook.md").read_text()
    blocks = re.findall(r"^```sql\n(.*?)^```", runbook, re.MULTILINE | re.DOTALL)
    found = [statement.strip() for block in blocks for statement in block.split(";\n")]
    return [statement for statement in found if statement]


def test_there_are_statements() -> None:
    assert len(statements()) > 10


async def test_every_statement_runs_and_changes_nothing(database_url: str) -> None:
    failed = []
    async with Database.open(settings_of(CommonSettings, database_url)) as database:
        for statement in statements():
            try:
                async with database.unit_of_work() as unit:
                    await unit.connection.execute(text("SET TRANSACTION READ ONLY"))
                    await unit.connection.execute(text(statement))
            except DBAPIError as error:
                failed.append(f"{statement}\n{error.orig}")
    assert not failed, "\n".join(failed)

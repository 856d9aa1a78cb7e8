import os
from pathlib import Path

import pytest

from backup.postgres_tools import ToolFailed, connection_variables, find_tool, run_tool
from libs.common.errors import Unavailable


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_the_address_goes_to_variables_so_that_nobody_reads_the_password_in_the_process_list() -> (
    None
):
    assert connection_variables("postgresql+asyncpg://ann:p%40ss@db:5433/findme?ssl=require") == {
        "PGHOST": "db",
        "PGPORT": "5433",
        "PGUSER": "ann",
        "PGPASSWORD": "p@ss",
        "PGDATABASE": "findme",
        "PGSSLMODE": "require",
    }
    assert connection_variables("postgresql://postgres@/postgres?host=/run/pg") == {
        "PGHOST": "/run/pg",
        "PGUSER": "postgres",
        "PGDATABASE": "postgres",
    }


def test_a_program_that_is_too_old_is_refused_with_what_to_install() -> None:
    with pytest.raises(Unavailable, match=r"PostgreSQL 99 or newer.*postgresql-client-99"):
        find_tool("pg_dump", at_least=99)


def test_a_program_on_the_path_is_found_when_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "pg_dump", "echo 'pg_dump (PostgreSQL) 98.1 (Debian 98.1-1)'")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert find_tool("pg_dump", at_least=97) == (tmp_path / "pg_dump", 98)


async def test_what_a_program_complains_of_is_told(tmp_path: Path) -> None:
    program(tmp_path, "pg_restore", "echo 'no such role' >&2; exit 1")
    with pytest.raises(ToolFailed, match="pg_restore failed: no such role"):
        await run_tool(tmp_path / "pg_restore", url="postgresql://ann@db/findme")

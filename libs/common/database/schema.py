"""Whether the database has the schema that this release needs."""

from collections.abc import Collection
from pathlib import Path

import structlog
from sqlalchemy import text

from libs.common.database.database import Database
from libs.common.database.sqlstates import is_away, sqlstate
from libs.common.errors import FindMeError

log = structlog.get_logger(__name__)

_VERSIONS = Path(__file__).parent / "migrations" / "versions"
_NO_SUCH_TABLE = "42P01"


class SchemaTooOld(FindMeError):
    """The database waits for its migration."""

    def __init__(self, found: str | None, needed: str) -> None:
        has = f"the schema {found}" if found else "no schema"
        super().__init__(
            f"The database has {has}, this release needs {needed}: run `findme migrate`"
        )


async def verify_schema(database: Database) -> None:
    """Raise SchemaTooOld; a newer schema is fine, as migrations only add.

    A database that is away is waited for by others.
    """
    try:
        async with database.read() as connection:
            found = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    except Exception as error:
        if sqlstate(error) == _NO_SUCH_TABLE:
            found = None
        elif is_away(error):
            log.warning("schema_not_verified", error=error)
            return
        else:
            raise
    if is_too_old(found, known := revisions()):
        raise SchemaTooOld(found, max(known))


def revisions() -> list[str]:
    """Return this release's revisions: a migration's file begins with its own."""
    return sorted(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*.py"))


def is_too_old(found: str | None, known: Collection[str]) -> bool:
    """Whether a revision comes before the newest that is known; an unknown one is newer."""
    return found is None or (found in known and found != max(known))

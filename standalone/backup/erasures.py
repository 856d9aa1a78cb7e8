"""The list of what was deleted, kept beside the backups: it is newer than they are."""

from collections.abc import Mapping
from pathlib import Path

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from standalone.backup import contents
from standalone.backup.files import ERASURES, BackupDamaged, write_whole

Erasure = Mapping[str, str]


def read_list(folder: Path) -> dict[tuple[str, str], Erasure]:
    """Return what is known to be deleted, by kind and key. Raises BackupDamaged."""
    path = folder / ERASURES
    if not path.exists():
        return {}
    known = {}
    try:
        for line in path.read_bytes().splitlines():
            erasure = orjson.loads(line)
            known[erasure["kind"], erasure["key"]] = erasure
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise BackupDamaged([ERASURES]) from error
    return known


async def note_erasures(connection: AsyncConnection, folder: Path) -> int:
    """Add what was deleted since the last time to the folder's list; return how many there are."""
    known = read_list(folder)
    async for erasure in contents.read_erasures(connection):
        known.setdefault((erasure["kind"], erasure["key"]), erasure)
    lines = (orjson.dumps(erasure, option=orjson.OPT_APPEND_NEWLINE) for erasure in known.values())
    write_whole(folder / ERASURES, b"".join(lines))
    return len(known)

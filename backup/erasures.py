"""The list of what was deleted, kept beside the backups: it is newer than they are."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from backup import repository
from backup.files import ERASURES, BackupDamaged, write_whole
from libs.common.database.clock import present_moment

Erasure = Mapping[str, str]
#: The last line: the digest of those before it.
_DIGEST = "sha256"


def read_list(folder: Path) -> dict[tuple[str, str], Erasure]:
    """Return what is known to be deleted, by kind and key. Raises BackupDamaged."""
    path = folder / ERASURES
    if not path.exists():
        return {}
    *lines, last = path.read_bytes().splitlines(keepends=True) or [b""]
    try:
        if orjson.loads(last)[_DIGEST] != _digest_of(b"".join(lines)):
            raise BackupDamaged([ERASURES])
        known = [orjson.loads(line) for line in lines]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise BackupDamaged([ERASURES]) from error
    return {(erasure["kind"], erasure["key"]): erasure for erasure in known}


async def note_erasures(connection: AsyncConnection, folder: Path) -> int:
    """Add what was deleted since the last time to the folder's list; return how many there are.

    What only too old backups could bring back is forgotten.
    """
    known = read_list(folder)
    async for erasure in repository.read_erasures(connection):
        known.setdefault((erasure["kind"], erasure["key"]), erasure)
    oldest = await present_moment(connection) - timedelta(days=repository.ERASURES_KEPT_DAYS)
    kept = [
        erasure
        for erasure in known.values()
        if datetime.fromisoformat(erasure["erased_at"]) >= oldest
    ]
    lines = b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in kept)
    write_whole(folder / ERASURES, lines + orjson.dumps({_DIGEST: _digest_of(lines)}))
    return len(kept)


def _digest_of(lines: bytes) -> str:
    return hashlib.sha256(lines).hexdigest()

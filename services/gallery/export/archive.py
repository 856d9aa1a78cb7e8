"""Everything about a person as a ZIP, which is made while it is sent.

JSON files, one for each kind of rows (several for many), and the selfies' files. What is in memory
is one chunk of rows or one selfie. A selfie that cannot be read is tried again, and then the answer
breaks off: an archive without it would look whole.
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import orjson
import structlog
from zipstream import ZIP_DEFLATED, ZIP_STORED, ZipStream

from libs.common.database.audit import Action, record
from libs.common.database.database import Database
from libs.common.errors import Unavailable
from libs.common.storage.protocol import ObjectNotFound, ObjectStore
from services.gallery.export import repository
from services.gallery.export.repository import PERSONAL, Selfie

#: How often an object is read, and how long is waited in between.
TRIES = 3
PAUSE_SECONDS = 0.5

log = structlog.get_logger(__name__)


async def begin_export(
    user_id: int, *, database: Database, store: ObjectStore
) -> AsyncIterator[bytes]:
    """Record the export and return the archive's pieces. Raises Unavailable before any of it.

    A selfie whose object is gone is named in `missing.json`.
    """
    found = await repository.selfies_of(user_id, database)
    missing: list[str] = []
    for selfie in found:
        try:
            await store.stat(selfie.object_key)
        except ObjectNotFound:
            missing.append(selfie.filename)
    async for attempt in database.attempts():
        async with attempt as unit:
            await record(
                unit.connection, Action.ACCOUNT_EXPORTED, actor_id=user_id, account_id=user_id
            )
    there = [selfie for selfie in found if selfie.filename not in missing]
    return _zipped(_entries(user_id, there, missing, database=database, store=store))


async def _entries(
    user_id: int,
    selfies: list[Selfie],
    missing: list[str],
    *,
    database: Database,
    store: ObjectStore,
) -> AsyncIterator[tuple[str, bytes, int]]:
    """Yield name, content and kind of compression of each file."""
    yield "about.json", _json({"account_id": user_id, "made_at": datetime.now(UTC)}), ZIP_DEFLATED
    if missing:
        yield "missing.json", _json({"selfies": missing}), ZIP_DEFLATED
    for kind in (*PERSONAL, repository.audit_of(user_id)):
        number = 0
        async for rows in repository.rows_of(kind, user_id, database):
            number += 1
            name = f"{kind.name}.json" if number == 1 else f"{kind.name}-{number}.json"
            yield name, _json(rows), ZIP_DEFLATED
    for selfie in selfies:
        content = await _read(selfie, store)
        if content is not None:
            yield f"selfies/{selfie.filename}", content, ZIP_STORED


async def _zipped(entries: AsyncIterator[tuple[str, bytes, int]]) -> AsyncIterator[bytes]:
    archive = ZipStream()
    async for name, content, compression in entries:
        archive.add(content, name, compress_type=compression)
        # Compressing 2,000 rows takes 20 ms: not on the event loop.
        yield await asyncio.to_thread(b"".join, archive.all_files())
    yield b"".join(archive.finalize())


async def _read(selfie: Selfie, store: ObjectStore) -> bytes | None:
    """Return the picture, None once it was deleted. Raises Unavailable after the last try."""
    for left in reversed(range(TRIES)):
        try:
            return await store.get(selfie.object_key)
        except ObjectNotFound:
            return None
        except Unavailable as error:
            log.warning("export_object_unreadable", selfie=selfie.id, tries_left=left)
            if not left:
                raise
            await asyncio.sleep(max(PAUSE_SECONDS, error.retry_after_seconds * 0.1))
    raise AssertionError


def _json(value: object) -> bytes:
    return orjson.dumps(value, default=_told, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)


def _told(value: object) -> object:
    """Digests and embeddings are bytes."""
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode()
    return str(value)

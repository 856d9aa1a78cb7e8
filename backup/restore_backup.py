"""Restore a backup into an empty place: database, what was deleted since, objects, a check."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from sqlalchemy import pool, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from backup import erasures, files, repository
from backup.manifest import Manifest, read_manifest
from backup.place import Place
from backup.postgres_tools import find_tool, run_tool
from backup.transfer import Steps, WrongContent, copy_object, each, has, read_list
from backup.verify_backup import verify_backup
from libs.common.database.audit import Action, record
from libs.common.database.connections import OPERATORS_LIMITS, open_engine
from libs.common.database.migrate import upgrade
from libs.common.database.schema import revisions
from libs.common.errors import Conflict, InvalidInput
from libs.common.settings import sqlalchemy_url
from libs.common.storage.folder import FolderStore
from libs.common.storage.protocol import ObjectNotFound, ObjectStore


class NotEmpty(Conflict):
    """There is something where the backup should go."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of it; `missing` are keys that rows name and that are nowhere."""

    manifest: Manifest
    objects: int
    erased: int
    missing: list[str]


async def restore_backup(folder: Path, place: Place, steps: Steps) -> Restored:
    """Restore; one that was interrupted is resumed by the same command.

    Raises NotEmpty, BackupDamaged before anything is written, InvalidInput.
    """
    with files.locked(folder):
        manifest = read_manifest(folder)
        _check_schema(manifest)
        async with _engine(place) as engine, place.store() as store:
            async with engine.connect() as connection:
                begun = await _is_begun(connection, manifest, place, store)
            await verify_backup(folder, steps)
            await _restore_database(engine, manifest, folder, place, steps, begun=begun)
            async with engine.begin() as connection:
                known = erasures.read_list(folder).values()
                erased = await repository.erase_again(connection, known)
                await repository.end_logins(connection)
            objects, missing = await _restore_objects(engine, folder, store, steps)
            _restore_secret(manifest, folder, place)
            await _finish(engine, manifest)
        return Restored(manifest, objects, erased, missing)


async def erase_again(folder: Path, place: Place) -> int:
    """Delete what the folder's list names from a database that came back in another way.

    Nobody is logged in there any more, as after a restore.
    """
    known = erasures.read_list(folder)
    async with _engine(place) as engine, engine.begin() as connection:
        await repository.end_logins(connection)
        return await repository.erase_again(connection, known.values())


@asynccontextmanager
async def _engine(place: Place) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(
        sqlalchemy_url(place.database_url),
        OPERATORS_LIMITS,
        name="findme restore",
        poolclass=pool.NullPool,
    )
    try:
        yield engine
    finally:
        await engine.dispose()


def _check_schema(manifest: Manifest) -> None:
    if manifest.schema not in revisions():
        msg = (
            f"The backup is of FindMe {manifest.findme} (schema {manifest.schema}), which is newer"
            " than this one: install that version, or a later one, first."
        )
        raise InvalidInput(msg)


async def _is_begun(
    connection: AsyncConnection, manifest: Manifest, place: Place, store: ObjectStore
) -> bool:
    """Whether this backup's restore began before; else the place must be empty."""
    version = await repository.server_major(connection)
    if version < manifest.postgres:
        msg = (
            f"The backup is of PostgreSQL {manifest.postgres}, the server is {version}:"
            " restore into one that is not older."
        )
        raise InvalidInput(msg)
    begun = await repository.being_restored(connection)
    if begun == manifest.database.sha256:
        return True
    if begun is not None:
        msg = "The restore of another backup did not end in this database: make an empty one."
        raise NotEmpty(msg)
    if found := await repository.table_names(connection):
        msg = (
            f"The database is not empty: it has {len(found)} tables ({', '.join(sorted(found)[:3])}"
            ", …). Restore into a new one (createdb), and do not migrate it before."
        )
        raise NotEmpty(msg)
    async for info in store.list(""):
        msg = f"There is something in {place.store_name} ({info.key}). Restore into an empty one."
        raise NotEmpty(msg)
    if place.secret_file is not None and place.secret_file.exists():
        msg = f"{place.secret_file} exists: FindMe has run there. Restore into an empty folder."
        raise NotEmpty(msg)
    return False


async def _restore_database(
    engine: AsyncEngine,
    manifest: Manifest,
    folder: Path,
    place: Place,
    steps: Steps,
    *,
    begun: bool,
) -> None:
    steps.begin("the database")
    tool, _ = await asyncio.to_thread(find_tool, "pg_restore", at_least=manifest.pg_dump)
    async with engine.begin() as connection:
        if not begun:
            await repository.begin_restoring(connection, manifest.database.sha256)
        has_rows = bool(await repository.table_names(connection))
    if not has_rows:
        # In one transaction: the database has all of it or nothing.
        await run_tool(
            tool,
            *("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"),
            str(folder / manifest.database.file),
            url=place.database_url,
        )
    steps.advance(manifest.database.size)
    await upgrade(place.database_url)


async def _restore_objects(
    engine: AsyncEngine, folder: Path, store: ObjectStore, steps: Steps
) -> tuple[int, list[str]]:
    """Copy every object that a row names; return their number, and those that are not there."""
    source = await FolderStore.open(folder / files.OBJECTS)
    missing: list[str] = []

    async def copy(one: repository.NamedObject) -> None:
        if not await has(one, store):
            try:
                await copy_object(one, source, store)
            except ObjectNotFound:
                pass  # told below
            except WrongContent as error:
                raise files.BackupDamaged([f"{files.OBJECTS}/{error.key}"]) from error
        steps.advance(one.size)

    async def check(one: repository.NamedObject) -> None:
        if not await has(one, store):
            missing.append(one.key)
        steps.advance(one.size)

    with tempfile.TemporaryDirectory(prefix="findme-") as scratch:
        named = Path(scratch) / "objects.jsonl"
        count, size = await _write_list(engine, named)
        steps.begin("photos and selfies", size)
        await each(read_list(named), copy)
        steps.begin("checking that all are there", size)
        await each(read_list(named), check)
    return count - len(missing), sorted(missing)


async def _write_list(engine: AsyncEngine, named: Path) -> tuple[int, int]:
    count = size = 0
    with named.open("wb") as file:
        async with engine.connect() as connection:
            async for one in repository.named_objects(connection):
                file.write(orjson.dumps(asdict(one), option=orjson.OPT_APPEND_NEWLINE))
                count, size = count + 1, size + one.size
    return count, size


def _restore_secret(manifest: Manifest, folder: Path, place: Place) -> None:
    if manifest.secret is not None and place.secret_file is not None:
        files.write_whole(place.secret_file, (folder / files.SECRET).read_bytes())


async def _finish(engine: AsyncEngine, manifest: Manifest) -> None:
    async with engine.begin() as connection:
        await repository.end_restoring(connection)
        of = {"backup_of": manifest.created_at}
        await record(connection, Action.BACKUP_RESTORED, actor_id=None, details=of)
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    async with autocommit.connect() as connection:
        # Lists are read from indexes alone only after this.
        await connection.execute(text("VACUUM ANALYZE"))

"""Back up into a folder: the database first, in one snapshot; then what is new of its objects."""

import asyncio
import importlib.metadata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import orjson
from sqlalchemy import pool, text
from sqlalchemy.ext.asyncio import AsyncConnection

from backup import files, repository
from backup.erasures import note_erasures
from backup.manifest import FORMAT, Manifest, write_manifest
from backup.place import Place
from backup.postgres_tools import find_tool, run_tool
from backup.transfer import Steps, WrongContent, copy_object, each, has, read_list
from libs.common.database.connections import OPERATORS_LIMITS, open_engine
from libs.common.errors import InvalidInput
from libs.common.settings import sqlalchemy_url
from libs.common.storage.folder import FolderStore
from libs.common.storage.protocol import ObjectNotFound, ObjectStore
from standalone.data_dir import closed_file


class _Head(TypedDict):
    """What the manifest says of the database."""

    schema: str
    postgres: int
    pg_dump: int
    rows: dict[str, int]


async def back_up(folder: Path, place: Place, steps: Steps) -> Manifest:
    """Make the folder's backup that of this moment; FindMe may run meanwhile.

    What an earlier one has is not read again. Until the end the earlier one is good; one that
    was interrupted is resumed. Raises InvalidInput when there is nothing to back up.
    """
    with files.locked(folder):
        # To the microsecond: a backup must never write over the one before it.
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        dump, named = f"database-{stamp}.dump", f"objects-{stamp}.jsonl"
        async with _connected(place, "REPEATABLE READ") as connection:
            head = await _dump_database(connection, place, folder / dump, folder / named, steps)
        target = await FolderStore.open(folder / files.OBJECTS)
        async with place.store() as source:
            absent = await _copy_objects(folder / named, source, target, steps)
        async with _connected(place) as connection:
            lost = absent & await repository.still_named(connection, sorted(absent))
            await note_erasures(connection, folder)
            await repository.forget_old_erasures(connection)
            await connection.commit()
        count, size = _leave_out(folder / named, absent)
        manifest = Manifest(
            format=FORMAT,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            findme=importlib.metadata.version("findme"),
            **head,
            database=files.facts_of(folder, dump),
            objects=files.facts_of(folder, named),
            object_count=count,
            object_bytes=size,
            missing=sorted(lost),
            secret=_keep_secret(place, folder),
        )
        write_manifest(folder, manifest)
        await _tidy_up(folder, manifest, target)
        return manifest


async def back_up_erasures(folder: Path, place: Place) -> int:
    """Bring the folder's list of deleted things up to date; return how many there are."""
    with files.locked(folder):
        async with _connected(place) as connection:
            return await note_erasures(connection, folder)


@asynccontextmanager
async def _connected(
    place: Place, isolation_level: str = "READ COMMITTED"
) -> AsyncIterator[AsyncConnection]:
    engine = open_engine(
        sqlalchemy_url(place.database_url),
        OPERATORS_LIMITS,
        name="findme backup",
        poolclass=pool.NullPool,
        isolation_level=isolation_level,
    )
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def _dump_database(
    connection: AsyncConnection, place: Place, dump: Path, named: Path, steps: Steps
) -> _Head:
    """Write the dump and the list of the objects that it names; return what they say."""
    steps.begin("the database")
    # First of all in the transaction: its snapshot is the one of everything below.
    snapshot = await connection.scalar(text("SELECT pg_export_snapshot()"))
    schema = await repository.schema_revision(connection)
    if schema is None:
        msg = "There is nothing to back up: the database has no tables of FindMe's."
        raise InvalidInput(msg)
    postgres = await repository.server_major(connection)
    tool, version = await asyncio.to_thread(find_tool, "pg_dump", at_least=postgres)
    part = dump.with_suffix(".part")
    part.touch(mode=0o600)
    await run_tool(
        tool,
        *(
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            "--no-unlogged-table-data",
            f"--snapshot={snapshot}",
        ),
        f"--file={part}",
        url=place.database_url,
    )
    steps.advance(part.stat().st_size)
    rows = await repository.row_counts(connection)
    with closed_file(named) as file:
        async for one in repository.named_objects(connection):
            file.write(orjson.dumps(asdict(one), option=orjson.OPT_APPEND_NEWLINE))
    part.replace(dump)
    return _Head(schema=schema, postgres=postgres, pg_dump=version, rows=rows)


async def _copy_objects(
    named: Path, source: ObjectStore, target: ObjectStore, steps: Steps
) -> set[str]:
    """Copy what the backup does not have; return the keys that cannot be had."""
    steps.begin("photos and selfies", sum(one.size for one in read_list(named)))
    absent: set[str] = set()

    async def copy(one: repository.NamedObject) -> None:
        if not await has(one, target):
            try:
                await copy_object(one, source, target)
            except (ObjectNotFound, WrongContent):
                absent.add(one.key)
        steps.advance(one.size)

    await each(read_list(named), copy)
    return absent


def _leave_out(named: Path, absent: set[str]) -> tuple[int, int]:
    """List only what the backup has; return the number of objects and their bytes."""
    part = named.with_suffix(".part")
    count = size = 0
    with closed_file(part) as file:
        for one in read_list(named):
            if one.key not in absent:
                file.write(orjson.dumps(asdict(one), option=orjson.OPT_APPEND_NEWLINE))
                count, size = count + 1, size + one.size
    part.replace(named)
    return count, size


def _keep_secret(place: Place, folder: Path) -> files.FileFacts | None:
    if place.secret_file is None or not place.secret_file.exists():
        return None
    files.write_whole(folder / files.SECRET, place.secret_file.read_bytes())
    return files.facts_of(folder, files.SECRET)


def _remove_old_files(folder: Path, manifest: Manifest) -> None:
    for path in (*folder.glob("database-*"), *folder.glob("objects-*")):
        if path.name not in {manifest.database.file, manifest.objects.file}:
            path.unlink()


async def _tidy_up(folder: Path, manifest: Manifest, target: ObjectStore) -> None:
    """Remove what this backup does not name: above all, what was deleted since the last one."""
    await asyncio.to_thread(_remove_old_files, folder, manifest)
    keys = {one.key for one in read_list(folder / manifest.objects.file)}
    surplus = [info.key async for info in target.list("") if info.key not in keys]
    for key in surplus:
        await target.delete(key)

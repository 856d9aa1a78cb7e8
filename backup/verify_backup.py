"""Read a backup whole and compare it with what it says of itself."""

import asyncio
from pathlib import Path

from backup import erasures, files
from backup.manifest import Manifest, read_manifest
from backup.repository import NamedObject
from backup.transfer import Steps, each, is_intact, read_list
from libs.common.storage.folder import FolderStore


async def verify_backup(folder: Path, steps: Steps) -> Manifest:
    """Raises BackupDamaged with the files' names, InvalidInput when there is no backup."""
    manifest = read_manifest(folder)
    erasures.read_list(folder)
    steps.begin("checking the backup", manifest.object_bytes)
    own = [manifest.database, manifest.objects, *([manifest.secret] if manifest.secret else [])]
    damaged = [
        facts.file for facts in own if not await asyncio.to_thread(files.is_as_told, folder, facts)
    ]
    if manifest.objects.file in damaged:
        raise files.BackupDamaged(damaged)
    store = await FolderStore.open(folder / files.OBJECTS)

    async def check(one: NamedObject) -> None:
        if not await is_intact(one, store):
            damaged.append(f"{files.OBJECTS}/{one.key}")
        steps.advance(one.size)

    await each(read_list(folder / manifest.objects.file), check)
    if damaged:
        raise files.BackupDamaged(sorted(damaged))
    return manifest

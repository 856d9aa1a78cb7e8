from dataclasses import replace
from pathlib import Path

import pytest

from backup import files
from backup.files import BackupDamaged
from backup.make_backup import back_up
from backup.manifest import read_manifest, write_manifest
from backup.place import Place
from backup.restore_backup import NotEmpty, restore_backup
from backup.verify_backup import verify_backup
from libs.common.database.tables import users
from libs.common.errors import Conflict, InvalidInput
from libs.common.web.auth import Role
from tests.backup.conftest import Cut, Quiet
from tests.support.world import World

OBJECTS = "photos and selfies"


async def fill(world: World, *, photos: int) -> list[int]:
    event_id = await world.event(await world.person(Role.PHOTOGRAPHER))
    await world.guest(event_id, 1)
    await world.delete(users, (await world.person()).id)
    return [await world.photo(event_id, f"people 1\n{number}") for number in range(photos)]


def copies(folder: Path) -> dict[Path, int]:
    found = (folder / files.OBJECTS).rglob("*.jpg")
    return {path: path.stat().st_mtime_ns for path in found}


async def test_an_interrupted_backup_is_no_backup_and_is_resumed(
    world: World, here: Place, there: Place, folder: Path
) -> None:
    await fill(world, photos=30)
    with pytest.raises(Cut):
        await back_up(folder, here, Quiet(OBJECTS, 10))
    before = copies(folder)
    assert 10 <= len(before) < 31
    with pytest.raises(InvalidInput, match="no finished backup"):
        await restore_backup(folder, there, Quiet())
    await back_up(folder, here, Quiet())
    after = copies(folder)
    assert len(after) == 31
    assert {path: after[path] for path in before} == before
    await verify_backup(folder, Quiet())


async def test_an_interrupted_backup_leaves_the_one_before_it_whole(
    world: World, here: Place, there: Place, folder: Path
) -> None:
    await fill(world, photos=3)
    await back_up(folder, here, Quiet())
    await fill(world, photos=20)
    with pytest.raises(Cut):
        await back_up(folder, here, Quiet(OBJECTS, 10))
    restored = await restore_backup(folder, there, Quiet())
    assert (restored.objects, restored.missing) == (4, [])


async def test_an_interrupted_restore_is_resumed_by_the_same_backup_alone(
    world: World, here: Place, there: Place, folder: Path, tmp_path: Path
) -> None:
    await fill(world, photos=30)
    await back_up(folder, here, Quiet())
    # Two dumps of one state in one second are the same.
    await fill(world, photos=1)
    await back_up(tmp_path / "other", here, Quiet())
    with pytest.raises(Cut):
        await restore_backup(folder, there, Quiet(OBJECTS, 10))
    with pytest.raises(NotEmpty, match="another backup"):
        await restore_backup(tmp_path / "other", there, Quiet())
    restored = await restore_backup(folder, there, Quiet())
    assert (restored.objects, restored.missing) == (31, [])
    with pytest.raises(NotEmpty, match="not empty"):
        await restore_backup(folder, there, Quiet())


async def test_a_place_that_is_not_empty_is_refused_and_named(
    world: World, here: Place, there: Place, folder: Path
) -> None:
    await fill(world, photos=1)
    await back_up(folder, here, Quiet())
    with pytest.raises(NotEmpty, match="The database is not empty"):
        await restore_backup(folder, here, Quiet())
    async with there.store() as store:
        await store.put("users/1/selfies/x.jpg", b"x", content_type="image/jpeg")
    with pytest.raises(NotEmpty, match=r"users/1/selfies/x\.jpg"):
        await restore_backup(folder, there, Quiet())


async def test_two_backups_into_one_folder_at_once_are_refused(
    world: World, here: Place, folder: Path
) -> None:
    await fill(world, photos=1)
    with files.locked(folder), pytest.raises(Conflict, match="at work"):
        await back_up(folder, here, Quiet())


@pytest.mark.parametrize("what", ["object", "database", "objects", "manifest", "erasures"])
async def test_a_damaged_backup_is_refused_by_the_name_of_the_file_before_anything_is_written(
    world: World, here: Place, there: Place, folder: Path, what: str
) -> None:
    await fill(world, photos=3)
    await back_up(folder, here, Quiet())
    manifest = read_manifest(folder)
    damaged = {
        "object": next(iter(copies(folder))),
        "database": folder / manifest.database.file,
        "objects": folder / manifest.objects.file,
        "manifest": folder / files.MANIFEST,
        "erasures": folder / files.ERASURES,
    }[what]
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(BackupDamaged) as refused:
        await verify_backup(folder, Quiet())
    assert refused.value.names == [damaged.relative_to(folder).as_posix()]
    with pytest.raises(BackupDamaged, match=damaged.name.replace(".", r"\.")):
        await restore_backup(folder, there, Quiet())
    async with there.store() as store:
        assert [info async for info in store.list("")] == []


async def test_a_file_that_is_gone_is_named_too(world: World, here: Place, folder: Path) -> None:
    await fill(world, photos=3)
    await back_up(folder, here, Quiet())
    gone = next(iter(copies(folder)))
    gone.unlink()
    with pytest.raises(BackupDamaged, match=gone.name):
        await verify_backup(folder, Quiet())
    # What the folder lacks is copied again.
    await back_up(folder, here, Quiet())
    await verify_backup(folder, Quiet())


async def test_an_object_that_the_store_has_lost_is_told_and_all_else_is_backed_up(
    world: World, here: Place, there: Place, folder: Path
) -> None:
    await fill(world, photos=3)
    async for info in world.store.list("events/"):
        lost = info.key
    await world.store.delete(lost)
    manifest = await back_up(folder, here, Quiet())
    assert (manifest.missing, manifest.object_count) == ([lost], 3)
    restored = await restore_backup(folder, there, Quiet())
    assert (restored.missing, restored.objects) == ([lost], 3)


async def test_a_backup_of_a_newer_findme_is_refused(
    world: World, here: Place, there: Place, folder: Path
) -> None:
    await fill(world, photos=1)
    manifest = await back_up(folder, here, Quiet())
    write_manifest(folder, replace(manifest, schema="9999", findme="9.0.0"))
    with pytest.raises(InvalidInput, match=r"FindMe 9\.0\.0.*newer"):
        await restore_backup(folder, there, Quiet())
    write_manifest(folder, replace(manifest, postgres=99))
    with pytest.raises(InvalidInput, match="PostgreSQL 99"):
        await restore_backup(folder, there, Quiet())

"""What people had deleted after a backup stays deleted when it is restored."""

from pathlib import Path
from typing import Any

from backup.make_backup import back_up, back_up_erasures
from backup.place import Place
from backup.restore_backup import erase_again, restore_backup
from libs.common.database.database import Database
from libs.common.database.tables import events, photos, selfies, users
from libs.common.settings import CommonSettings
from libs.common.web.auth import Role
from tests.backup.conftest import Quiet
from tests.support.postgres import run_apart
from tests.support.settings import settings_of
from tests.support.world import World


async def ids(place: Place) -> dict[str, set[int]]:
    """The rows there are."""
    async with Database.open(settings_of(CommonSettings, place.database_url)) as database:
        world = World(database, None)  # type: ignore[arg-type]
        return {
            table.name: set(
                await world.scalar(f"SELECT coalesce(array_agg(id), '{{}}') FROM {table.name}")
            )
            for table in (users, events, photos, selfies)
        }


async def keys(place: Place) -> set[str]:
    async with place.store() as store:
        return {info.key async for info in store.list("")}


async def test_what_was_deleted_after_the_backup_stays_deleted(
    world: World, here: Place, there: Place, folder: Path
) -> None:
    photographer = await world.person(Role.PHOTOGRAPHER)
    kept, ended = await world.event(photographer), await world.event(photographer)
    stays, leaves, changes = [await world.person(joined=kept) for _ in range(3)]
    selfie_ids = [await world.selfie(one.id, "people 1") for one in (stays, leaves, changes)]
    photo_ids = [await world.photo(kept, f"people 1\n{number}") for number in range(3)]
    await world.photo(ended, "people 1\nx")
    for guest, selfie_id in zip((stays, leaves, changes), selfie_ids, strict=True):
        await world.index(selfie_id, kept, guest, status="done", embedding=b"face")
    await back_up(folder, here, Quiet())

    await world.delete(users, leaves.id)
    await world.delete(selfies, selfie_ids[2])
    await world.delete(photos, photo_ids[0])
    await world.delete(events, ended)
    assert await back_up_erasures(folder, here) == 6

    restored = await restore_backup(folder, there, Quiet())
    assert restored.missing == []
    assert await ids(there) == await ids(here)
    assert (await ids(there))["selfies"] == {selfie_ids[0]}
    assert len(await keys(there)) == 3
    async with Database.open(settings_of(CommonSettings, there.database_url)) as database:
        indexed = World(database, world.store)
        assert await indexed.scalar("SELECT count(*) FROM selfie_indexes") == 1
        # Backups of the restored place know of it too.
        assert await indexed.scalar("SELECT count(*) FROM erasures") == 6


async def test_a_database_that_came_back_otherwise_is_rid_of_what_had_been_deleted(
    world: World, here: Place, there: Place, folder: Path, tmp_path: Path
) -> None:
    event_id = await world.event(await world.person(Role.PHOTOGRAPHER))
    gone, stays = [await world.photo(event_id, f"people 1\n{number}") for number in range(2)]
    await back_up(tmp_path / "first", here, Quiet())
    await world.delete(photos, gone)
    await back_up_erasures(folder, here)
    # Another folder's backup knows nothing of the deletion, as a snapshot of a disk would not.
    await restore_backup(tmp_path / "first", there, Quiet())
    assert (await ids(there))["photos"] == {gone, stays}
    assert await erase_again(folder, there) == 1
    assert (await ids(there))["photos"] == {stays}


async def test_an_id_that_is_used_again_after_a_restore_is_not_mistaken_for_the_deleted_one(
    world: World, here: Place, there: Place, folder: Path
) -> None:
    await world.person()
    await back_up(folder, here, Quiet())
    lost = await world.person()
    await world.delete(users, lost.id)
    await back_up_erasures(folder, here)
    await restore_backup(folder, there, Quiet())
    async with Database.open(settings_of(CommonSettings, there.database_url)) as database:
        again = await World(database, world.store).person()
        assert again.id == lost.id
        second = folder.with_name("second")
        await back_up(second, there, Quiet())
    assert lost.id in (await ids(there))["users"]
    assert (await back_up_erasures(second, there)) == 1


async def test_a_photo_deleted_while_the_backup_runs_is_not_told_as_lost(
    world: World, here: Place, there: Place, folder: Path
) -> None:
    event_id = await world.event(await world.person(Role.PHOTOGRAPHER))
    photo_ids = [await world.photo(event_id, f"people 1\n{number}") for number in range(3)]

    class Deleting(Quiet):
        def begin(self, what: str, total_bytes: int | None = None) -> None:
            super().begin(what, total_bytes)
            if what == "photos and selfies":
                run_apart(_delete_photo(here, photo_ids[0]))

    manifest = await back_up(folder, here, Deleting())
    assert (manifest.rows["photos"], manifest.object_count, manifest.missing) == (3, 2, [])
    restored = await restore_backup(folder, there, Quiet())
    assert (restored.erased, restored.objects, restored.missing) == (1, 2, [])
    assert (await ids(there))["photos"] == set(photo_ids[1:])


async def _delete_photo(place: Place, photo_id: int) -> None:
    async with (
        place.store() as store,
        Database.open(settings_of(CommonSettings, place.database_url)) as database,
    ):
        world = World(database, store)
        row: Any = await world.photo_row(photo_id)
        await world.delete(photos, photo_id)
        await store.delete(f"events/{row.event_id}/photos/{row.filename}")


async def test_what_only_too_old_backups_could_bring_back_is_forgotten(
    world: World, here: Place, folder: Path
) -> None:
    for _ in range(2):
        await world.delete(users, (await world.person()).id)
    await world.scalar(
        "UPDATE erasures SET erased_at = now() - interval '401 days'"
        " WHERE key = (SELECT min(key) FROM erasures) RETURNING key"
    )
    await back_up(folder, here, Quiet())
    assert await back_up_erasures(folder, here) == 1
    assert await world.scalar("SELECT count(*) FROM erasures") == 1

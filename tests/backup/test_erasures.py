"""What people had deleted after a backup stays deleted when it is restored."""

import shutil
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from backup.files import ERASURES
from backup.make_backup import back_up, back_up_erasures
from backup.place import Place
from backup.restore_backup import erase_again, restore_backup
from libs.common.database.database import Database
from libs.common.database.tables import (
    api_keys,
    cameras,
    events,
    favourites,
    match_overrides,
    matches,
    memberships,
    photos,
    selfie_indexes,
    selfies,
    users,
)
from libs.common.settings import CommonSettings
from libs.common.web.auth import Role
from services.gallery.erasure.erase_events import EventEraser
from services.gallery.guests.repository import leave_event
from tests.backup.conftest import Quiet
from tests.support.postgres import run_apart
from tests.support.settings import settings_of
from tests.support.world import World

#: What an event has of its guests.
WITH_GUESTS = (memberships, matches, match_overrides, selfie_indexes, favourites)


async def ids(place: Place) -> dict[str, set[object]]:
    """The rows there are."""
    async with Database.open(settings_of(CommonSettings, place.database_url)) as database:
        world = World(database, None)  # type: ignore[arg-type]
        return {
            table.name: set(
                await world.scalar(f"SELECT coalesce(array_agg(id), '{{}}') FROM {table.name}")
            )
            for table in (users, events, photos, selfies, api_keys)
        }


async def guests_of(place: Place) -> dict[str, set[object]]:
    """The guests that events have anything of, and those whose selfies are compared."""
    async with Database.open(settings_of(CommonSettings, place.database_url)) as database:
        world = World(database, None)  # type: ignore[arg-type]
        has = {table.name: "true" for table in WITH_GUESTS} | {"selfies": "embedding IS NOT NULL"}
        return {
            name: set(
                await world.scalar(
                    f"SELECT coalesce(array_agg(user_id), '{{}}') FROM {name} WHERE {condition}"
                )
            )
            for name, condition in has.items()
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
    body = {"event_id": kept, "make": "Canon", "model": "R6"}
    camera_ids = [await world.insert(cameras, body | {"serial": f"{n}"}) for n in range(2)]
    for photo_id, camera_id in zip(photo_ids[:2], camera_ids, strict=True):
        of_camera = photos.update().where(photos.c.id == photo_id)
        await world.execute(of_camera.values(camera_id=camera_id))
    for guest, selfie_id in zip((stays, leaves, changes), selfie_ids, strict=True):
        await world.index(selfie_id, kept, guest, status="done", embedding=b"face")
    stands, revoked = uuid.uuid4(), uuid.uuid4()
    for key_id in (stands, revoked):
        key = {"id": key_id, "user_id": photographer.id, "name": "a key", "digest": b""}
        await world.execute(api_keys.insert().values(key))
    await back_up(folder, here, Quiet())

    await world.delete(users, leaves.id)
    await world.delete(selfies, selfie_ids[2])
    await world.delete(photos, photo_ids[0])
    await world.delete(events, ended)
    await world.delete(api_keys, revoked)
    assert await back_up_erasures(folder, here) == 7

    restored = await restore_backup(folder, there, Quiet())
    assert restored.missing == []
    assert await ids(there) == await ids(here)
    assert (await ids(there))["selfies"] == {selfie_ids[0]}
    assert (await ids(there))["api_keys"] == {stands}
    assert len(await keys(there)) == 3
    async with Database.open(settings_of(CommonSettings, there.database_url)) as database:
        indexed = World(database, world.store)
        assert await indexed.scalar("SELECT count(*) FROM selfie_indexes") == 1
        # The other's photo is gone.
        assert await indexed.scalar("SELECT array_agg(id) FROM cameras") == camera_ids[1:]
        # Backups of the restored place know of it too.
        assert await indexed.scalar("SELECT count(*) FROM erasures") == 7


async def test_an_event_that_was_erased_after_the_backup_comes_back_closed_and_empty(
    world: World, here: Place, there: Place, folder: Path
) -> None:
    photographer = await world.person(Role.PHOTOGRAPHER)
    ended, open_event = await world.event(photographer), await world.event(photographer)
    guest = await world.person(joined=ended)
    selfie_id = await world.selfie(guest.id, "people 1")
    await world.index(selfie_id, ended, guest, status="done", embedding=b"face")
    await world.execute(selfies.update().values(engine="embedded", embedding=b"face"))
    await world.photo(ended, "people 1\nx")
    stays = await world.photo(open_event, "people 1\ny")
    await back_up(folder, here, Quiet())
    past = datetime.now(UTC) - timedelta(days=31)
    await world.execute(events.update().where(events.c.id == ended).values(expires_at=past))
    await EventEraser(world.database, grace=timedelta(days=30), notice=timedelta(0)).erase()
    await back_up_erasures(folder, here)

    await restore_backup(folder, there, Quiet())
    assert (await ids(there))["photos"] == {stays}
    assert len(await keys(there)) == 2  # the other photo, and the selfie
    async with Database.open(settings_of(CommonSettings, there.database_url)) as database:
        restored = World(database, world.store)
        assert await restored.scalar("SELECT count(*) FROM selfie_indexes") == 0
        assert await restored.scalar("SELECT count(*) FROM selfies WHERE embedding IS NULL") == 1
        closed = "SELECT array_agg(id) FROM events WHERE erasure_began_at IS NOT NULL"
        assert await restored.scalar(closed) == [ended]


async def test_a_guest_who_left_an_event_after_the_backup_is_not_in_it_again(
    world: World, here: Place, there: Place, folder: Path
) -> None:
    event_id = await world.event(await world.person(Role.PHOTOGRAPHER))
    photo_id = await world.photo(event_id, "people 1")
    stays, leaves, joins_again = [await world.person(joined=event_id) for _ in range(3)]
    for guest in (stays, leaves, joins_again):
        selfie_id = await world.selfie(guest.id, "people 1")
        await world.index(selfie_id, event_id, guest, status="done", embedding=b"face")
        await world.match(guest, event_id, [photo_id], selfie_id)
        of_both = {"user_id": guest.id, "photo_id": photo_id}
        await world.execute(favourites.insert().values(of_both))
        said = {"event_id": event_id, "verdict": "not_them"}
        await world.execute(match_overrides.insert().values(of_both | said))
    await world.execute(selfies.update().values(engine="embedded", embedding=b"face"))
    await back_up(folder / "old", here, Quiet())
    for guest in (leaves, joins_again):
        async with world.database.unit_of_work() as unit:
            await leave_event(unit.connection, guest.id, event_id)
    await world.join(joins_again, event_id)
    await back_up(folder / "new", here, Quiet())

    # The old copy with the newest list, as an operator is told to.
    shutil.copy(folder / "new" / ERASURES, folder / "old" / ERASURES)
    assert (await restore_backup(folder / "old", there, Quiet())).erased == 2
    assert await guests_of(there) == {table.name: {stays.id} for table in WITH_GUESTS} | {
        "selfies": {stays.id}
    }


async def test_a_guest_who_left_and_joined_again_before_the_backup_is_in_it(
    world: World, here: Place, there: Place, folder: Path
) -> None:
    event_id = await world.event(await world.person(Role.PHOTOGRAPHER))
    guest = await world.person(joined=event_id)
    async with world.database.unit_of_work() as unit:
        await leave_event(unit.connection, guest.id, event_id)
    await world.join(guest, event_id)
    await back_up(folder, here, Quiet())
    await restore_backup(folder, there, Quiet())
    assert (await guests_of(there))["memberships"] == {guest.id}


async def test_who_goes_with_their_event_or_account_is_not_noted_once_more(world: World) -> None:
    photographer = await world.person(Role.PHOTOGRAPHER)
    ended, open_event = await world.event(photographer), await world.event(photographer)
    await world.person(joined=ended)
    gone = await world.person(joined=open_event)
    await world.delete(events, ended)
    await world.delete(users, gone.id)
    kinds = await world.scalar("SELECT array_agg(kind ORDER BY kind) FROM erasures")
    assert kinds == ["events", "users"]


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

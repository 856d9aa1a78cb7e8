"""The store and the database compared, on both stores, and put right."""

import asyncio
import os
import subprocess
import sys
import time
import uuid
from datetime import timedelta
from itertools import chain
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update

from backup.place import Place
from cli.sweep import repository
from cli.sweep.rules import LOST_REASON, Findings, Kind
from cli.sweep.sweep import Sweep
from libs.common.database.database import Database
from libs.common.database.tables import photos, resumable_uploads, selfies
from libs.common.storage.keys import (
    guest_copy_key,
    photo_key,
    rendition_key,
    selfie_key,
    upload_prefix,
)
from libs.common.storage.protocol import ObjectStore
from services.media.stripping.pieces import RULES
from services.recognition.recovery import repository as recovery
from tests.support.people import SECRET
from tests.support.world import World

JPEG = "image/jpeg"
LARGE = bytes(9 * 1024 * 1024)
FAILURES_TOLD = "SELECT count(*) FROM outbox WHERE routing_key LIKE '%photo.failed%'"
FAILED = "SELECT count(*) FROM photos WHERE processing_status = 'failed'"


class Quiet:
    """Shows nothing."""

    def advance(self, count: int) -> None:
        del count


async def swept(
    world: World,
    *,
    repair: bool = False,
    event_id: int | None = None,
    older_than: timedelta = timedelta(minutes=-1),
) -> dict[Kind, tuple[int, int]]:
    """Return how many of a kind there are and how large; nothing is too young unless told so."""
    found = await sweep_of(world, event_id=event_id, older_than=older_than).run(repair=repair)
    return told(found)


def sweep_of(
    world: World, *, event_id: int | None = None, older_than: timedelta = timedelta(minutes=-1)
) -> Sweep:
    return Sweep(world.database, world.store, Quiet(), event_id=event_id, older_than=older_than)


def told(found: Findings) -> dict[Kind, tuple[int, int]]:
    return {
        kind: (tally.count, tally.size_bytes)
        for kind, tally in found.by_kind.items()
        if tally.count
    }


async def keys(store: ObjectStore) -> set[str]:
    return {info.key async for info in store.list("")}


async def put(world: World, *put_keys: str, data: bytes = b"x") -> None:
    for key in put_keys:
        await world.store.put(key, data, content_type=JPEG)


async def photo_with_renditions(world: World, event_id: int) -> tuple[int, str]:
    photo_id = await world.photo(event_id, "people 1")
    name = (await world.photo_row(photo_id)).filename
    await put(world, rendition_key(event_id, name, "thumbnail"), guest_copy_key(event_id, name))
    return photo_id, name


async def test_where_all_belongs_nothing_is_found(world: World) -> None:
    for _ in range(3):
        event_id = await world.event()
        guest = await world.guest(event_id, 1)
        del guest
        for _ in range(3):
            await photo_with_renditions(world, event_id)
    before = await keys(world.store)
    assert await swept(world) == {}
    assert await swept(world, repair=True) == {}
    assert await keys(world.store) == before


async def test_objects_that_no_row_names_are_deleted(world: World) -> None:
    event_id = await world.event()
    await photo_with_renditions(world, event_id)
    before = await keys(world.store)
    gone = event_id + 1_000_000
    await put(world, photo_key(event_id, "a.jpg"), photo_key(gone, "b.jpg"), data=b"four")
    await put(world, rendition_key(event_id, "a.jpg", "preview"), guest_copy_key(gone, "b.jpg"))
    await put(world, selfie_key(12, "c.jpg"), data=b"selfie")
    await put(world, "events/notes.txt", "other/d.jpg", data=b"not ours")
    expected = {
        Kind.PHOTO_WITHOUT_ROW: (2, 8),
        Kind.RENDITION_WITHOUT_PHOTO: (2, 2),
        Kind.SELFIE_WITHOUT_ROW: (1, 6),
    }
    unknown = {Kind.UNKNOWN: (2, 16)}
    assert await swept(world) == expected | unknown
    assert await swept(world, repair=True) == expected
    assert await swept(world) == unknown
    assert await keys(world.store) == before | {"events/notes.txt", "other/d.jpg"}


async def test_parts_belong_to_uploads_that_are_there(world: World) -> None:
    event_id = await world.event()
    await photo_with_renditions(world, event_id)
    upload_id = uuid.uuid4()
    await world.execute(
        insert(resumable_uploads).values(
            id=upload_id,
            event_id=event_id,
            name="a.jpg",
            sent_metadata="",
            keeps_copies=False,
            length=9,
            expires_at=func.now(),
        )
    )
    prefixes = [upload_prefix(event_id, one) for one in (upload_id, uuid.uuid4(), uuid.uuid4())]
    await put(world, *(f"{prefix}0-a" for prefix in prefixes), f"{prefixes[0]}7-b", data=b"part")
    expected = {Kind.PART_WITHOUT_UPLOAD: (2, 8)}
    assert await swept(world) == expected
    assert await swept(world, event_id=event_id, repair=True) == expected
    assert await swept(world) == {}
    assert {key for key in await keys(world.store) if "/uploads/" in key} == {
        f"{prefixes[0]}0-a",
        f"{prefixes[0]}7-b",
    }


async def test_copies_by_older_rules_are_deleted_and_those_that_are_served_are_not(
    world: World,
) -> None:
    event_id = await world.event()
    _, name = await photo_with_renditions(world, event_id)
    copy = guest_copy_key(event_id, name)
    await put(world, f"{copy}.{RULES}.json")
    before = await keys(world.store)
    await put(world, f"{copy}.{RULES - 1}.json", f"{copy}.{RULES - 1}.jpg", data=b"four")
    for repair in (False, True):
        assert await swept(world, repair=repair) == {Kind.OUTDATED_COPY: (2, 8)}
    assert await swept(world) == {}
    assert await keys(world.store) == before


async def test_what_is_young_may_be_an_upload_in_hand(world: World, kind: str) -> None:
    event_id = await world.event()
    await put(world, photo_key(event_id, "a.jpg"))
    async with world.store.create(photo_key(event_id, "b.jpg"), content_type=JPEG) as writer:
        # Moto says of every upload in parts that it began in 2010.
        await writer.write(LARGE if kind == "folder" else b"x")
        sweep = sweep_of(world, older_than=timedelta(hours=24))
        for repair in (False, True):
            found = await sweep.run(repair=repair)
            assert told(found) == {}
            assert found.young.count == (2 if kind == "folder" else 1)
        await writer.commit()
    assert len(await keys(world.store)) == 2


async def test_photos_whose_file_is_missing_are_marked_and_told(world: World) -> None:
    event_id = await world.event()
    lost = [await photo_with_renditions(world, event_id) for _ in range(3)]
    kept, _ = await photo_with_renditions(world, event_id)
    for photo_id, name in lost:
        await world.store.delete(photo_key(event_id, name))
        await world.execute(
            update(photos).where(photos.c.id == photo_id).values(processing_status="done")
        )
    assert await swept(world) == {Kind.PHOTO_WITHOUT_OBJECT: (3, 24)}
    assert (await world.photo_row(lost[0][0])).processing_status == "done"
    assert await swept(world, repair=True) == {Kind.PHOTO_WITHOUT_OBJECT: (3, 24)}
    for photo_id, _ in lost:
        row = await world.photo_row(photo_id)
        assert (row.processing_status, row.processing_error) == ("failed", LOST_REASON)
    assert (await world.photo_row(kept)).processing_status == "queued"
    messages = await world.scalar(
        "SELECT count(*) FROM outbox WHERE routing_key LIKE '%photo.failed%'"
    )
    assert messages == 3
    assert await swept(world, repair=True) == {}
    assert await swept(world) == {Kind.FAILED_WITHOUT_OBJECT: (3, 24)}


async def test_a_selfie_whose_file_is_missing_is_told(world: World) -> None:
    event_id = await world.event()
    guest = await world.user()
    await world.selfie(guest, "face 1")
    async with world.database.read() as connection:
        key: str = (await connection.scalars(select(selfies.c.object_key))).one()
    await world.store.delete(key)
    found = await sweep_of(world).run(repair=False)
    assert told(found) == {Kind.SELFIE_WITHOUT_OBJECT: (1, 6)}
    assert found.lost_keys == [key]
    assert await swept(world, event_id=event_id) == {}


async def test_uploads_that_never_ended_are_discarded(world: World) -> None:
    event_id = await world.event()
    writers = [world.store.create(photo_key(event_id, name), content_type=JPEG) for name in "ab"]
    for writer in writers:
        # Nobody leaves the block, as where a process is killed.
        await (await writer.__aenter__()).write(LARGE)
    found = (await swept(world))[Kind.UNFINISHED]
    assert found[0] == 2
    assert found[1] >= 2 * 8 * 1024 * 1024
    assert (await swept(world, repair=True))[Kind.UNFINISHED] == found
    assert await swept(world) == {}
    for writer in writers:
        await writer.__aexit__(None, None, None)


async def test_one_event_alone_is_swept(world: World) -> None:
    events = [await world.event() for _ in range(2)]
    for event_id in events:
        await put(world, photo_key(event_id, "a.jpg"))
    assert await swept(world, event_id=events[0], repair=True) == {Kind.PHOTO_WITHOUT_ROW: (1, 1)}
    assert await keys(world.store) == {photo_key(events[1], "a.jpg")}


async def test_pages_and_batches_meet_without_a_gap(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "PAGE_ROWS", 2)
    monkeypatch.setattr("cli.sweep.sweep.BATCH", 3)
    for event_id in [await world.event() for _ in range(3)]:
        for number in range(5):
            _, name = await photo_with_renditions(world, event_id)
            await put(world, photo_key(event_id, f"{number}-stray.jpg"))
            if number % 2:
                await world.store.delete(photo_key(event_id, name))
    for guest in [await world.user() for _ in range(4)]:
        await world.selfie(guest, "face 1")
    assert await swept(world) == {
        Kind.PHOTO_WITHOUT_ROW: (15, 15),
        Kind.PHOTO_WITHOUT_OBJECT: (6, 48),
    }


async def test_a_repair_that_ends_midway_is_gone_on_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.sweep.sweep.BATCH", 2)
    event_id = await world.event()
    await put(world, *(photo_key(event_id, f"{number}.jpg") for number in range(6)))

    class Cut(Exception):
        pass

    class CutShort(Quiet):
        left = 5

        def advance(self, count: int) -> None:
            self.left -= count
            if self.left == 0:
                raise Cut

    sweep = Sweep(
        world.database, world.store, CutShort(), event_id=None, older_than=timedelta(minutes=-1)
    )
    with pytest.raises(Cut):
        await sweep.run(repair=True)
    assert len(await keys(world.store)) == 2
    assert await swept(world, repair=True) == {Kind.PHOTO_WITHOUT_ROW: (2, 2)}
    assert await keys(world.store) == set()


async def test_uploads_beside_a_repair_lose_nothing(world: World) -> None:
    event_id = await world.event()
    is_over = asyncio.Event()

    async def upload() -> list[int]:
        return [await world.photo(event_id, f"people {number}") for number in range(30)]

    async def sweep_on() -> None:
        while not is_over.is_set():
            await swept(world, repair=True, older_than=timedelta(hours=1))

    sweeping = asyncio.create_task(sweep_on())
    made = await asyncio.gather(*(upload() for _ in range(3)))
    is_over.set()
    await sweeping
    for photo_id in [*chain.from_iterable(made)]:
        row = await world.photo_row(photo_id)
        assert row.processing_status == "queued"
        await world.store.stat(photo_key(event_id, row.filename))


def findme(place: Place, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {
        "DATABASE_URL": place.database_url,
        "PHOTO_BUCKET_NAME": place.photo_bucket_name or "",
        "S3_ENDPOINT_URL": place.s3_endpoint_url or "",
        "PHOTO_STORE_DIR": str(place.photo_store_dir),
        "SECRET_KEY": SECRET,
        "COLUMNS": "200",
    }
    return subprocess.run(
        [sys.executable, "-m", "cli", "sweep", *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


async def test_the_command_tells_and_repairs_only_when_told_to(
    world: World, here: Place, kind: str
) -> None:
    event_id = await world.event()
    _, name = await photo_with_renditions(world, event_id)
    await put(world, photo_key(event_id, "a.jpg"), photo_key(event_id, "b.jpg"))
    if kind == "folder":
        long_ago = time.time() - 25 * 3600
        os.utime(here.photo_store_dir / photo_key(event_id, "a.jpg"), (long_ago, long_ago))
        part = here.photo_store_dir / ".parts" / "old.part"
        part.write_bytes(b"part")
        os.utime(part, (long_ago, long_ago))
    before = await keys(world.store)
    for _ in range(2):
        shown = await asyncio.to_thread(findme, here)
        assert shown.returncode == 0, shown.stderr
        lines = [line for line in shown.stdout.splitlines() if "photos that no row names" in line]
        assert ("1 │ 1 byte" in " ".join(lines[0].split())) == (kind == "folder"), shown.stdout
        assert await keys(world.store) == before
    assert ("--repair does what" in shown.stdout) == (kind == "folder")
    repaired = await asyncio.to_thread(findme, here, "--repair", "--force")
    assert repaired.returncode == 0, repaired.stderr
    old = {photo_key(event_id, "a.jpg")} if kind == "folder" else set()
    assert await keys(world.store) == before - old
    if kind == "folder":
        assert not part.exists()
    await world.store.delete(photo_key(event_id, name))
    lost = await asyncio.to_thread(findme, here, "--event", str(event_id))
    assert lost.returncode == 1
    assert "1 files are lost or damaged" in " ".join(lost.stderr.split())
    assert name in "".join(lost.stderr.split())
    assert "Traceback" not in lost.stderr


async def test_a_store_that_may_be_another_databases_is_not_repaired(
    world: World, here: Place, database: Database
) -> None:
    del database
    event_id = await world.event()
    for _ in range(20):
        await world.insert_photo(event_id)
    shown = await asyncio.to_thread(findme, here, "--repair")
    assert shown.returncode == 1
    assert "Nothing was changed; --force" in " ".join(shown.stderr.split())
    assert await world.scalar(FAILED) == 0
    forced = await asyncio.to_thread(findme, here, "--repair", "--force")
    assert "20 files are lost or damaged" in " ".join(forced.stderr.split())
    assert (
        await world.scalar("SELECT count(*) FROM photos WHERE processing_status = 'failed'") == 20
    )
    assert (await asyncio.to_thread(findme, here, "--force")).returncode == 2


async def test_a_small_store_is_not_emptied_by_the_wrong_database(
    world: World, here: Place, kind: str, tmp_path: Path
) -> None:
    """Few photos that no row names, and many renditions, none of which is a photo."""
    put_keys = [photo_key(1, f"{number}.jpg") for number in range(3)]
    put_keys += [rendition_key(1, f"{number}.jpg", "preview") for number in range(30)]
    await put(world, *put_keys)
    if kind == "folder":
        two_days_ago = time.time() - 2 * 24 * 60 * 60
        for path in (tmp_path / "here").rglob("*"):
            os.utime(path, (two_days_ago, two_days_ago))
        shown = await asyncio.to_thread(findme, here, "--repair")
        assert "Nothing was changed; --force" in " ".join(shown.stderr.split())
        assert shown.returncode == 1
    assert (await sweep_of(world).run(repair=False)).is_suspicious
    assert await keys(world.store) == {*put_keys}


def test_nothing_is_made_of_a_folder_that_is_only_looked_at(
    here: Place, kind: str, tmp_path: Path
) -> None:
    if kind == "folder":
        shown = findme(here)
        assert shown.returncode == 0, shown.stderr
        assert not (tmp_path / "here").exists()


async def test_a_file_that_is_not_named_in_text_is_none_of_ours(
    world: World, here: Place, kind: str
) -> None:
    if kind != "folder":
        pytest.skip("keys of S3 are text")
    event_id = await world.event()
    await photo_with_renditions(world, event_id)
    folder = here.photo_store_dir / photo_key(event_id, "x").removesuffix("/x")
    odd = os.fsdecode(os.fsencode(folder) + b"/caf\xe9.jpg")
    await asyncio.to_thread(Path(odd).write_bytes, b"four")
    for repair in (False, True):
        found = await sweep_of(world).run(repair=repair)
        assert found.belonging == 3
    assert await swept(world) == {Kind.UNKNOWN: (1, 4)}
    assert await asyncio.to_thread(os.path.exists, odd)


async def test_a_photo_whose_file_was_put_back_is_analysed_again(
    world: World, database: Database
) -> None:
    event_id = await world.event()
    marked, name = await photo_with_renditions(world, event_id)
    other, _ = await photo_with_renditions(world, event_id)
    file = await world.store.get(photo_key(event_id, name))
    await world.store.delete(photo_key(event_id, name))
    assert await swept(world, repair=True) == {Kind.PHOTO_WITHOUT_OBJECT: (1, len(file))}
    failed = {"processing_status": "failed", "processing_error": "No picture."}
    await world.execute(update(photos).where(photos.c.id == other).values(failed))

    await put(world, photo_key(event_id, name), data=file)

    for repair in (False, True):
        assert await swept(world, repair=repair) == {Kind.FOUND_AGAIN: (1, len(file))}
    assert await swept(world) == {}
    row = await world.photo_row(marked)
    assert (row.processing_status, row.processing_error) == ("queued", None)
    assert (await world.photo_row(other)).processing_error == "No picture."
    async with database.unit_of_work() as unit:
        ages = await recovery.ages(unit.connection, older_than_seconds=-1, retry_seconds=0)
        assert await recovery.events_with_old_photos(unit.connection, "queued", ages) == [event_id]


async def test_a_file_that_is_cut_short_is_lost(world: World, here: Place) -> None:
    event_id = await world.event()
    _, name = await photo_with_renditions(world, event_id)
    file = await world.store.get(photo_key(event_id, name))
    await put(world, photo_key(event_id, name), data=file[:-1])
    for _ in range(2):
        assert await swept(world) == {Kind.OTHER_SIZE: (1, len(file))}
        assert await swept(world, repair=True) == {}
    shown = await asyncio.to_thread(findme, here)
    assert shown.returncode == 1
    assert name in "".join(shown.stderr.split())

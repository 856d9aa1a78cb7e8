import asyncio
import os
import resource
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.common.storage.folder import PART_MAX_AGE_SECONDS, FolderStore
from libs.common.storage.folder_part import Part
from libs.common.storage.keys import PARTS_DIRECTORY
from libs.common.storage.protocol import StoreUnavailable

KEY = "events/1/photos/a.jpg"
LIMIT_BYTES = 2 * 1024 * 1024


@pytest.fixture
def file_size_limit() -> Iterator[None]:
    """Let no file of this process grow above LIMIT_BYTES: the kernel refuses the write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_opening_sweeps_what_a_killed_writer_left_and_spares_a_live_one(
    tmp_path: Path,
) -> None:
    parts = tmp_path / PARTS_DIRECTORY
    parts.mkdir()
    old, young = parts / "old.part", parts / "young.part"
    old.write_bytes(b"x")
    young.write_bytes(b"x")
    long_ago = time.time() - PART_MAX_AGE_SECONDS - 1
    os.utime(old, (long_ago, long_ago))

    await FolderStore.open(tmp_path)

    assert [path.name for path in parts.iterdir()] == ["young.part"]


@pytest.mark.usefixtures("file_size_limit")
async def test_a_write_that_the_disk_refuses_leaves_nothing(tmp_path: Path) -> None:
    store = await FolderStore.open(tmp_path)

    async with store.create(KEY, content_type="image/jpeg") as writer:
        with pytest.raises(StoreUnavailable) as raised:
            await writer.write(bytes(2 * LIMIT_BYTES))
    with pytest.raises(StoreUnavailable):
        await store.put(KEY, bytes(LIMIT_BYTES + 1), content_type="image/jpeg")

    assert isinstance(raised.value.__cause__, OSError)
    assert [info.key async for info in store.list("")] == []
    assert list((tmp_path / PARTS_DIRECTORY).iterdir()) == []


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        part = Part(tmp_path / "a.part", tmp_path / "a", full)

        with pytest.raises(StoreUnavailable, match="full"):
            part.write(b"x")


async def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StoreUnavailable):
        await FolderStore.open(tmp_path / "file" / "store")


async def test_a_folder_that_went_away_is_unavailable(tmp_path: Path) -> None:
    store = await FolderStore.open(tmp_path / "store")
    (tmp_path / "store").rename(tmp_path / "elsewhere")

    with pytest.raises(StoreUnavailable):
        await store.check()
    with pytest.raises(StoreUnavailable):
        await store.put(KEY, b"x", content_type="image/jpeg")


async def test_a_key_below_an_object_cannot_be_written(tmp_path: Path) -> None:
    store = await FolderStore.open(tmp_path)
    await store.put(KEY, b"x", content_type="image/jpeg")

    with pytest.raises(StoreUnavailable):
        await store.put(f"{KEY}/below", b"x", content_type="image/jpeg")

    assert await store.get(KEY) == b"x"


async def test_empty_directories_go_with_their_last_object(tmp_path: Path) -> None:
    store = await FolderStore.open(tmp_path)
    await store.put(KEY, b"x", content_type="image/jpeg")
    await store.put("events/2/photos/a.jpg", b"x", content_type="image/jpeg")

    await store.delete(KEY)

    assert [path.name for path in (tmp_path / "events").iterdir()] == ["2"]


async def test_writers_survive_deletions_that_remove_their_directory(tmp_path: Path) -> None:
    store = await FolderStore.open(tmp_path)

    async def come_and_go(number: int) -> None:
        key = f"events/1/photos/{number}.jpg"
        for _ in range(50):
            await store.put(key, b"x", content_type="image/jpeg")
            await store.delete(key)

    await asyncio.gather(*(come_and_go(number) for number in range(4)))

    assert [info.key async for info in store.list("")] == []


async def test_two_objects_of_one_size_within_a_clock_tick_have_two_etags(tmp_path: Path) -> None:
    store = await FolderStore.open(tmp_path)
    await store.put("a", b"1", content_type="image/jpeg")
    await store.put("b", b"2", content_type="image/jpeg")
    for name in "ab":
        os.utime(tmp_path / name, ns=(0, 0))

    assert (await store.stat("a")).etag != (await store.stat("b")).etag


async def test_its_folder_is_its_owners_alone_whoever_makes_it(tmp_path: Path) -> None:
    store = await FolderStore.open(tmp_path / "restored" / "objects")
    await store.put("events/1/photos/a.jpg", b"a", content_type="image/jpeg")
    assert stat.S_IMODE((tmp_path / "restored" / "objects").stat().st_mode) == 0o700


async def test_who_only_reads_touches_nothing_and_reads_what_others_write(tmp_path: Path) -> None:
    root = tmp_path / "objects"
    reader = await FolderStore.open(root, is_read_only=True)
    assert not root.exists()
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        await reader.check()
    writer = await FolderStore.open(root)
    await writer.put("events/1/photos/a.jpg", b"a", content_type="image/jpeg")
    before = sorted(root.rglob("*")), root.stat().st_mtime_ns
    await reader.check()
    assert await reader.get("events/1/photos/a.jpg") == b"a"
    assert (sorted(root.rglob("*")), root.stat().st_mtime_ns) == before

"""What every object store does, whichever adapter does it."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from libs.common.storage.folder import FolderStore
from libs.common.storage.keys import InvalidKey
from libs.common.storage.protocol import ObjectNotFound, ObjectStore
from tests.support.stores import StoreProbe

KEY = "events/7/photos/abc.jpg"
#: Above one S3 part (8 MB) and no multiple of any piece or batch.
LARGE = bytes(range(256)) * 40_000 + b"end"


async def _read(store: ObjectStore, key: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([piece async for piece in store.read(key, start=start, end=end)])


async def _keys(store: ObjectStore, prefix: str = "") -> set[str]:
    return {info.key async for info in store.list(prefix)}


async def _write(store: ObjectStore, key: str, data: bytes, piece: int = 300_000) -> None:
    async with store.create(key, content_type="image/jpeg") as writer:
        for start in range(0, len(data), piece):
            await writer.write(data[start : start + piece])
        await writer.commit()


async def test_what_was_put_is_read_back(store: ObjectStore) -> None:
    await store.put(KEY, b"bytes", content_type="image/jpeg")

    assert await store.get(KEY) == b"bytes"


async def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    await _write(store, KEY, b"")

    assert await store.get(KEY) == b""
    assert await _read(store, KEY) == b""
    assert (await store.stat(KEY)).size_bytes == 0


async def test_what_was_streamed_in_is_streamed_out(store: ObjectStore) -> None:
    for size in (10, 8 * 1024 * 1024, len(LARGE)):
        await _write(store, KEY, LARGE[:size])

        assert await _read(store, KEY) == LARGE[:size]
        assert (await store.stat(KEY)).size_bytes == size


@pytest.mark.parametrize("size", [0, 10, len(LARGE)])
async def test_what_was_streamed_in_may_be_kept_at_another_key(
    store: ObjectStore, probe: StoreProbe, size: int
) -> None:
    other = "events/7/uploads/x/0"
    async with store.create(KEY, content_type="image/jpeg") as writer:
        await writer.write(LARGE[:size])
        await writer.commit_as(other)

    assert await _keys(store) == {other}
    assert await _read(store, other) == LARGE[:size]
    assert await probe.unfinished() == 0


async def test_pieces_are_small_enough_to_bound_memory(store: ObjectStore) -> None:
    await _write(store, KEY, LARGE)

    assert max([len(piece) async for piece in store.read(KEY)]) <= 256 * 1024


async def test_a_range_is_read_like_a_slice(store: ObjectStore) -> None:
    await store.put(KEY, b"0123456789", content_type="image/jpeg")

    for start, end in [(0, 1), (3, 9), (5, None), (0, 10), (9, 10), (4, 4), (8, 99), (10, 12)]:
        assert await _read(store, KEY, start, end) == b"0123456789"[start:end]


async def test_a_range_in_a_large_object_crosses_pieces(store: ObjectStore) -> None:
    await _write(store, KEY, LARGE)

    assert await _read(store, KEY, 200_000, 9_000_000) == LARGE[200_000:9_000_000]


async def test_nobody_sees_an_object_before_it_is_committed(store: ObjectStore) -> None:
    async with store.create(KEY, content_type="image/jpeg") as writer:
        await writer.write(LARGE)

        assert await _keys(store) == set()
        with pytest.raises(ObjectNotFound):
            await store.stat(KEY)


async def test_nothing_is_left_of_a_write_without_commit(
    store: ObjectStore, probe: StoreProbe
) -> None:
    async with store.create(KEY, content_type="image/jpeg") as writer:
        await writer.write(LARGE)

    assert await _keys(store) == set()
    assert await probe.unfinished() == 0


async def test_nothing_is_left_of_a_write_that_was_cancelled(
    store: ObjectStore, probe: StoreProbe
) -> None:
    begun = asyncio.Event()

    async def write_for_ever() -> None:
        async with store.create(KEY, content_type="image/jpeg") as writer:
            while True:
                await writer.write(LARGE)
                begun.set()

    task = asyncio.create_task(write_for_ever())
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert await _keys(store) == set()
    assert await probe.unfinished() == 0


async def test_the_last_commit_replaces_the_object_and_its_etag(store: ObjectStore) -> None:
    await store.put(KEY, b"first", content_type="image/jpeg")
    first = await store.stat(KEY)

    await _write(store, KEY, b"other")

    assert await store.get(KEY) == b"other"
    assert (await store.stat(KEY)).etag != first.etag


async def test_stat_tells_size_and_a_quoted_etag_that_stays(store: ObjectStore) -> None:
    await store.put(KEY, b"bytes", content_type="image/jpeg")

    info = await store.stat(KEY)

    assert (info.key, info.size_bytes) == (KEY, 5)
    assert info.etag.startswith('"')
    assert info.etag.endswith('"')
    assert len(info.etag) > 2
    assert await store.stat(KEY) == info


async def test_reading_what_is_not_there_is_an_error(store: ObjectStore) -> None:
    with pytest.raises(ObjectNotFound):
        await store.get(KEY)
    with pytest.raises(ObjectNotFound):
        await store.stat(KEY)
    with pytest.raises(ObjectNotFound):
        await _read(store, KEY)
    with pytest.raises(ObjectNotFound):
        await _read(store, KEY, 4, 4)
    with pytest.raises(ObjectNotFound):
        async with store.local_file(KEY):
            pass


async def test_a_prefix_of_keys_is_no_object(store: ObjectStore) -> None:
    await store.put(KEY, b"bytes", content_type="image/jpeg")

    with pytest.raises(ObjectNotFound):
        await store.stat("events/7/photos")
    with pytest.raises(ObjectNotFound):
        await store.get("events/7/photos")
    with pytest.raises(ObjectNotFound):
        await store.get(f"{KEY}/below")


async def test_native_code_gets_a_file(store: ObjectStore) -> None:
    await _write(store, KEY, LARGE)

    async with store.local_file(KEY) as path:
        assert await asyncio.to_thread(Path(path).read_bytes) == LARGE


async def test_a_list_has_exactly_what_starts_with_the_prefix(store: ObjectStore) -> None:
    for key in ("events/1/photos/a", "events/1/photos/ab", "events/12/photos/a", "users/1/a"):
        await store.put(key, b"x", content_type="image/jpeg")

    assert await _keys(store, "events/1/") == {"events/1/photos/a", "events/1/photos/ab"}
    assert await _keys(store, "events/1/photos/ab") == {"events/1/photos/ab"}
    assert await _keys(store, "events/1") == {
        "events/1/photos/a",
        "events/1/photos/ab",
        "events/12/photos/a",
    }
    assert await _keys(store, "nowhere/") == set()
    assert len(await _keys(store)) == 4


async def test_a_deleted_object_is_gone_and_deleting_again_is_harmless(store: ObjectStore) -> None:
    await store.put(KEY, b"bytes", content_type="image/jpeg")

    await store.delete(KEY)
    await store.delete(KEY)

    with pytest.raises(ObjectNotFound):
        await store.get(KEY)


async def test_deleting_an_event_leaves_its_neighbour(store: ObjectStore) -> None:
    for key in ("events/1/photos/a", "events/1/renditions/a/p.webp", "events/12/photos/a"):
        await store.put(key, b"x", content_type="image/jpeg")

    assert await store.delete_prefix("events/1/") == 2
    assert await store.delete_prefix("events/1/") == 0
    assert await _keys(store) == {"events/12/photos/a"}


async def test_a_prefix_that_could_hit_a_neighbour_is_refused(store: ObjectStore) -> None:
    with pytest.raises(InvalidKey):
        await store.delete_prefix("events/1")
    with pytest.raises(InvalidKey):
        await store.delete_prefix("")


async def test_one_key_written_by_many_at_once_has_one_whole_value(store: ObjectStore) -> None:
    values = [bytes([number]) * 50_000 for number in range(8)]

    await asyncio.gather(*(_write(store, KEY, value) for value in values))

    assert await store.get(KEY) in values


async def test_a_key_that_could_escape_or_not_be_stored_is_refused(store: ObjectStore) -> None:
    for key in ("/etc/passwd", "events/../../secret", "a\0b", ".parts/x"):
        with pytest.raises(InvalidKey):
            await store.put(key, b"x", content_type="image/jpeg")
        with pytest.raises(InvalidKey):
            await store.get(key)
        with pytest.raises(InvalidKey):
            await _read(store, key)
        with pytest.raises(InvalidKey):
            await store.stat(key)
        with pytest.raises(InvalidKey):
            await store.delete(key)
        with pytest.raises(InvalidKey):
            await store.delete_prefix(f"{key}/")
        with pytest.raises(InvalidKey):
            await _keys(store, key)
        with pytest.raises(InvalidKey):
            async with store.create(key, content_type="image/jpeg"):
                pass
        with pytest.raises(InvalidKey):
            async with store.local_file(key):
                pass


async def test_keys_may_hold_any_other_letter(store: ObjectStore) -> None:
    key = "events/1/photos/Grüße 😀 100%+#?.jpg"

    await store.put(key, b"x", content_type="image/jpeg")

    assert await store.get(key) == b"x"
    assert await _keys(store, "events/1/photos/Grüße") == {key}


async def test_a_store_that_works_says_so(store: ObjectStore) -> None:
    await store.check()


async def test_a_small_object_is_got_with_what_stat_says_of_it(store: ObjectStore) -> None:
    await store.put(KEY, b"bytes", content_type="image/jpeg")

    assert await store.get_object(KEY) == (await store.stat(KEY), b"bytes")
    for key in ("events/7/photos", "events/7/photos/other.jpg", f"{KEY}/below"):
        with pytest.raises(ObjectNotFound):
            await store.get_object(key)
    with pytest.raises(InvalidKey):
        await store.get_object("../secret")


async def test_a_list_is_in_the_order_of_keys_and_says_since_when_objects_are_there(
    store: ObjectStore,
) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    keys = ["b", "a/b", "a-b/c", "a/b-c/d", "a/b/d", "a/ä", "a/😀", "a.b", "a/z", "A"]
    keys.remove("a/b")  # an object and a folder of one name: S3 has both
    for key in keys:
        await store.put(key, key.encode(), content_type="image/jpeg")

    listed = [info async for info in store.list("")]

    assert [info.key for info in listed] == sorted(keys, key=str.encode)
    assert [info.key async for info in store.list("a/b")] == ["a/b-c/d", "a/b/d"]
    for info in listed:
        assert before < info.modified_at < datetime.now(UTC) + timedelta(minutes=1)
        stat = await store.stat(info.key)
        assert (info.size_bytes, info.etag) == (stat.size_bytes, stat.etag)


async def test_what_was_never_committed_can_be_found_and_discarded(
    store: ObjectStore, probe: StoreProbe
) -> None:
    async with store.create(KEY, content_type="image/jpeg") as writer:
        await writer.write(LARGE)
        (found,) = [upload async for upload in store.unfinished()]
        assert found.key in {KEY, None}
        assert found.size_bytes >= 8 * 1024 * 1024
        # Moto says 2010 of all of them.
        assert found.begun_at < datetime.now(UTC) + timedelta(minutes=10)
        for _ in range(2):
            await store.discard(found)
        assert await probe.unfinished() == 0
    assert [upload async for upload in store.unfinished()] == []


async def test_only_a_folder_knows_its_room(store: ObjectStore) -> None:
    free = await store.free_bytes()
    assert (free is None) != isinstance(store, FolderStore)
    assert free is None or free > 0

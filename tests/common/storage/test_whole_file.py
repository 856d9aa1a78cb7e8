"""No decoder is given other bytes than those that were uploaded."""

import hashlib
import os
import resource
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from libs.common.errors import TransientError, Unavailable
from libs.common.exhaustion import Exhausted
from libs.common.storage.folder import FolderStore
from libs.common.storage.protocol import ObjectNotFound, ObjectStore
from libs.common.storage.s3 import open_s3_store
from libs.common.storage.whole_file import Content, NotAsUploaded, whole_file
from tests.support.s3 import S3Bucket
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.stores import use_credentials

KEY = "events/1/photos/a.jpg"
#: Above one batch of a local copy, and no multiple of a disk's blocks.
PHOTO = bytes(range(256)) * 12_000 + b"end"
#: Where a disk is full that takes a part of the last write: no further one tells.
IN_THE_LAST_BATCH = 2_500_000
JPEG = "image/jpeg"
UPLOADED = Content(len(PHOTO), hashlib.sha256(PHOTO).digest())


def local_copies(folder: Path) -> list[Path]:
    return list(folder.glob("findme-*"))


async def read_whole(store: ObjectStore) -> bytes:
    async with whole_file(store.local_file, KEY, UPLOADED) as path:
        return path.read_bytes()


def _counted() -> float:
    value = REGISTRY.get_sample_value("findme_objects_not_as_uploaded_total")
    assert value is not None
    return value


async def test_what_was_uploaded_is_given_on(store: ObjectStore) -> None:
    await store.put(KEY, PHOTO, content_type=JPEG)
    assert await read_whole(store) == PHOTO


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (PHOTO[:-1], "3072002 bytes in place of 3072003"),
        (b"", "0 bytes in place of 3072003"),
        (PHOTO + b"x", "3072004 bytes in place of 3072003"),
        (PHOTO[:-1] + b"x", "other bytes"),
    ],
)
async def test_an_object_that_is_not_what_was_uploaded_is_not_given_on(
    store: ObjectStore, stored: bytes, words: str
) -> None:
    before = _counted()
    await store.put(KEY, stored, content_type=JPEG)
    with pytest.raises(NotAsUploaded, match=f"{KEY} is not what was uploaded: it has {words}"):
        await read_whole(store)
    assert _counted() == before + 2
    await store.put(KEY, PHOTO, content_type=JPEG)
    assert await read_whole(store) == PHOTO
    assert _counted() == before + 2
    assert issubclass(NotAsUploaded, TransientError)


async def test_an_object_that_is_missing_is_missing(store: ObjectStore) -> None:
    with pytest.raises(ObjectNotFound):
        await read_whole(store)


async def test_what_was_cut_short_on_its_way_is_fetched_again(tmp_path: Path) -> None:
    class CuttingStore(FolderStore):
        fetches = 0

        @asynccontextmanager
        async def local_file(self, key: str) -> AsyncIterator[Path]:
            self.fetches += 1
            async with super().local_file(key) as path:
                copy = tmp_path / "copy"
                shutil.copy(path, copy)
                if self.fetches == 1:
                    os.truncate(copy, 1000)
                yield copy

    store = await CuttingStore.open(tmp_path / "store")
    await store.put(KEY, PHOTO, content_type=JPEG)
    assert await read_whole(store) == PHOTO
    assert isinstance(store, CuttingStore)
    assert store.fetches == 2


@pytest.fixture
async def s3_store(s3: S3Bucket, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ObjectStore]:
    use_credentials(s3, monkeypatch)
    async with open_s3_store(s3.bucket, endpoint_url=s3.endpoint_url) as store:
        await store.put(KEY, PHOTO, content_type=JPEG)
        yield store


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDisk]:
    """Where local copies go."""
    with small_disk(tmp_path / "disk") as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk.path))
        yield disk


@pytest.mark.parametrize("but_bytes", [0, IN_THE_LAST_BATCH])
async def test_a_full_disk_gives_no_part_of_a_photo_on_and_keeps_none(
    s3_store: ObjectStore, disk: SmallDisk, but_bytes: int
) -> None:
    disk.fill(but_bytes=but_bytes)
    with pytest.raises(Exhausted, match="no more disk space"):
        async with s3_store.local_file(KEY):
            pass
    assert disk.files() == []
    disk.free()
    assert await read_whole(s3_store) == PHOTO
    assert disk.files() == []


async def test_a_write_that_takes_a_part_only_is_no_whole_file(
    s3_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk, for whoever may not mount one: the kernel takes a part, then refuses."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (IN_THE_LAST_BATCH, before[1]))
    try:
        with pytest.raises(Unavailable, match="File too large"):
            async with s3_store.local_file(KEY):
                pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert local_copies(tmp_path) == []


async def test_without_descriptors_nothing_is_fetched(
    s3_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        with pytest.raises(Exhausted, match="no more open files"):
            async with s3_store.local_file(KEY):
                pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert local_copies(tmp_path) == []
    assert await read_whole(s3_store) == PHOTO

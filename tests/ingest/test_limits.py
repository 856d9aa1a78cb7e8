"""Uploads end before the machine, or an event, is full."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from libs.common.storage.folder import FolderStore
from libs.common.storage.keys import PARTS_DIRECTORY
from libs.common.storage.protocol import ObjectStore
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import Gallery, new_gallery, running_ingest
from tests.support.image_files import image_file, large_jpeg
from tests.support.polling import eventually
from tests.support.small_disk import small_disk

MEGABYTE = 1024 * 1024
WAYS = ["form", "put"]


async def send(
    gallery: Gallery, way: str, content: bytes | AsyncIterator[bytes], *, name: str = "a.jpg"
) -> httpx.Response:
    if way == "form":
        assert isinstance(content, bytes)
        return await gallery.upload((name, content))
    return await gallery.ingest.client.put(
        f"/api/events/{gallery.event_id}/photos/{name}", content=content, headers=gallery.headers
    )


@pytest.mark.parametrize("way", WAYS)
async def test_a_disk_is_never_filled_and_what_arrived_before_is_kept(
    settings: IngestSettings, tmp_path: Path, way: str
) -> None:
    with small_disk(tmp_path / "disk", size_bytes=8 * MEGABYTE) as disk:
        root = disk.path / "objects"
        store = await FolderStore.open(root)
        few = settings.model_copy(update={"kept_free_mb": 3})
        async with running_ingest(few, store) as ingest:
            gallery = await new_gallery(ingest)
            assert (await send(gallery, way, large_jpeg(2_000_000))).is_success
            before = await ingest.objects()

            async def pieces() -> AsyncIterator[bytes]:
                yield large_jpeg(4_000_000)

            # Of the second nobody says beforehand how large it is.
            second = pieces() if way == "put" else large_jpeg(3_900_000)
            for large in (large_jpeg(4_000_000), second):
                answer = await send(gallery, way, large)
                assert (answer.status_code, answer.headers["retry-after"]) == (507, "60")
                assert "The photo store is nearly full" in answer.json()["detail"]
            free = os.statvfs(disk.path)
            assert free.f_bavail * free.f_frsize >= 3 * MEGABYTE
            assert await ingest.objects() == before
            assert len(await ingest.photos()) == 1
            assert list((root / PARTS_DIRECTORY).iterdir()) == []


@pytest.mark.parametrize("way", WAYS)
async def test_an_event_has_a_greatest_number_of_photos(
    settings: IngestSettings, store: ObjectStore, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.progress.progress.FRESH_SECONDS", 0)
    monkeypatch.setattr("services.ingest.progress.progress.TIMES_OF_A_COUNT", 0)
    two = settings.model_copy(update={"max_photos_per_event": 2})
    async with running_ingest(two, store) as ingest:
        gallery = await new_gallery(ingest)
        for seed in range(2):
            assert (await send(gallery, way, image_file(seed=seed))).is_success

        answer = await send(gallery, way, image_file(seed=2))

        assert answer.status_code == 409
        assert answer.json()["detail"] == (
            "This event has 2 photos, as many as it may have. Delete some, or upload to another"
            " event."
        )
        assert (await send(await new_gallery(ingest), way, image_file(seed=2))).is_success


async def test_one_upload_too_many_is_asked_to_come_back(
    settings: IngestSettings, store: ObjectStore
) -> None:
    one = settings.model_copy(update={"max_concurrent_uploads": 1, "max_waiting_requests": 0})
    async with running_ingest(one, store) as ingest:
        gallery = await new_gallery(ingest)
        is_read, goes_on = asyncio.Event(), asyncio.Event()
        content = image_file()

        async def held() -> AsyncIterator[bytes]:
            yield content[:10]
            is_read.set()
            await goes_on.wait()
            yield content[10:]

        first = asyncio.create_task(send(gallery, "put", held()))
        await eventually(is_read.is_set)
        for way in WAYS:
            answer = await send(gallery, way, content)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
        goes_on.set()
        assert (await first).status_code == 201

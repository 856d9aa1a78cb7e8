"""The machine has no more disk or descriptors while photos and selfies come in."""

import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.common.storage.folder import FolderStore
from libs.common.storage.keys import PARTS_DIRECTORY
from libs.common.web.auth import Role
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import Gallery, new_gallery, running_ingest
from tests.support.image_files import image_file, large_jpeg
from tests.support.small_disk import SmallDisk, small_disk

SELFIE = image_file(size=(64, 48))


@pytest.fixture
async def on_small_disk(
    settings: IngestSettings, tmp_path: Path
) -> AsyncIterator[tuple[Gallery, SmallDisk]]:
    with small_disk(tmp_path / "disk") as disk:
        store = await FolderStore.open(disk.path / "objects")
        # To its last byte.
        to_the_end = settings.model_copy(update={"kept_free_mb": 0})
        async with running_ingest(to_the_end, store) as ingest:
            yield await new_gallery(ingest), disk


@pytest.mark.parametrize("but_bytes", [0, 100_000])
async def test_a_full_store_is_said_and_keeps_nothing(
    on_small_disk: tuple[Gallery, SmallDisk], but_bytes: int
) -> None:
    gallery, disk = on_small_disk
    photo = large_jpeg(1_500_000)
    guest = await gallery.ingest.world.user()
    disk.fill(but_bytes=but_bytes)

    answer = await gallery.upload(("a.jpg", photo))

    assert (answer.status_code, "retry-after" in answer.headers) == (507, True)
    assert "The photo store is full." in answer.json()["detail"]
    if not but_bytes:
        selfie = await gallery.ingest.client.post(
            "/api/upload-selfie",
            headers=gallery.ingest.headers(guest, Role.PARTICIPANT),
            files={"file": ("me.jpg", SELFIE, "image/jpeg")},
        )
        assert selfie.status_code == 507
        assert "The photo store is full." in selfie.json()["detail"]
    assert await gallery.ingest.objects() == {}
    assert await gallery.ingest.photos() == []
    assert await gallery.ingest.messages() == []
    assert list((disk.path / "objects" / PARTS_DIRECTORY).iterdir()) == []
    disk.free()
    assert (await gallery.upload(("a.jpg", photo))).status_code == 200


async def test_without_descriptors_an_upload_is_asked_to_come_back(gallery: Gallery) -> None:
    photo = image_file(size=(64, 48))
    assert (await gallery.upload(("first.jpg", photo))).status_code == 200  # all is connected
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        answer = await gallery.upload(("a.jpg", image_file(size=(48, 64))))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert answer.status_code == 503
    assert "Too many open files" in answer.json()["detail"]
    assert len(await gallery.ingest.photos()) == 1

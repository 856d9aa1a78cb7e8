"""An archive is never without a photo unnoticed."""

import contextlib
import io
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY

from libs.common.storage.folder import FolderStore
from libs.common.storage.protocol import StoreUnavailable
from services.media.archives import lost, source
from services.media.renditions import renditions
from services.media.settings import MediaSettings
from tests.media.archives.archives import LARGE, opened, owned
from tests.media.world import World, running_world
from tests.support import tattling
from tests.support.logged import written_logs
from tests.support.settings import settings_of
from tests.support.slow_clients import clients_of


@pytest.mark.parametrize("is_copy_known", [False, True])
async def test_a_photo_whose_file_is_lost_is_named_and_the_others_come(
    world: World, is_copy_known: bool
) -> None:
    _, found = await owned(world, tattling.jpeg(), tattling.jpeg(), strip_metadata=True)
    guest = await world.person(joined=found[0].event_id)
    if is_copy_known:
        by_id = await world.client.get(f"/api/photo/{found[0].id}", headers=guest.headers)
        assert by_id.status_code == 200
    await world.store.delete(found[0].key)

    files = opened(await world.client.get(await world.download(guest, found)))

    assert list(files) == ["IMG_1.jpg", "Not included.txt"]
    assert b"IMG_1.jpg: its file is missing" in files["Not included.txt"]


@pytest.mark.parametrize("listed_from", [1, 1_000], ids=["listed", "asked one by one"])
async def test_an_original_that_is_lost_is_named_and_the_others_come(
    any_world: World, monkeypatch: pytest.MonkeyPatch, listed_from: int
) -> None:
    monkeypatch.setattr(lost, "LISTED_FROM", listed_from)
    owner, found = await owned(any_world, b"one", b"two", b"three")
    link = await any_world.download(owner, found)
    await any_world.store.delete(found[1].key)

    files = opened(await any_world.client.get(link))

    assert list(files) == ["IMG_1.jpg", "IMG_1 (2).jpg", "Not included.txt"]
    assert [files["IMG_1.jpg"], files["IMG_1 (2).jpg"]] == [b"one", b"three"]
    assert files["Not included.txt"].splitlines()[1:] == [b"IMG_1.jpg: its file is missing"]


async def test_an_original_that_is_lost_later_breaks_the_archive_off_once_and_is_named_then(
    world: World,
) -> None:
    owner, found = await owned(world, b"one", b"two")
    link = await world.download(owner, found)
    assert len(opened(await world.client.get(link))) == 2
    await world.store.delete(found[1].key)
    broken_off = await world.client.get(link)
    assert (broken_off.status_code, "retry-after" in broken_off.headers) == (503, True)
    assert list(opened(await world.client.get(link))) == ["IMG_1.jpg", "Not included.txt"]


async def test_a_photo_that_is_given_up_is_tried_again_and_then_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renditions, "GIVEN_UP_FOR", timedelta(hours=1))
    _, found = await owned(world, tattling.jpeg(), tattling.jpeg(), strip_metadata=True)
    guest = await world.person(joined=found[0].event_id)
    link = await world.download(guest, found)
    # The file that is read is not the one that was uploaded: another time it may be.
    await world.store.put(found[0].key, b"another file", content_type="image/jpeg")
    for _ in range(2):
        refused = await world.client.get(link)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "3600")
    # The others are prepared meanwhile.
    assert await world.scalar("SELECT count(*) FROM guest_copies") == 1
    # What is given up for no time is tried again at once; more than so often, it is the photo.
    monkeypatch.setattr(renditions, "GIVEN_UP_FOR", timedelta(0))
    assert (await world.client.get(link)).status_code == 503
    files = opened(await world.client.get(link))
    assert list(files) == ["IMG_1.jpg", "Not included.txt"]
    assert b"IMG_1.jpg: its file is not what was uploaded" in files["Not included.txt"]


class Faulty(FolderStore):
    """Its photos fail as often as is told, each time after some bytes."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.failures = 0
        self.after_bytes = 0
        self.fails_at = ""
        self.cuts_short = False

    async def read(
        self, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        left = self.after_bytes
        async for piece in super().read(key, start=start, end=end):
            if not self.failures or self.fails_at not in key:
                yield piece
                continue
            if left:
                yield piece[:left]
            left -= len(piece)
            if left <= 0:
                self.failures -= 1
                if self.cuts_short:
                    return
                raise StoreUnavailable("The photo store failed.")


@pytest.fixture
async def faulty(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[World, Faulty]]:
    monkeypatch.setattr(source, "PAUSE_SECONDS", 0)
    (await FolderStore.open(tmp_path / "store"))
    store = Faulty(tmp_path / "store")
    async with running_world(settings_of(MediaSettings, database_url), store) as world:
        yield world, store


def broken() -> float:
    return REGISTRY.get_sample_value("findme_archives_broken_total") or 0


@pytest.mark.parametrize("cuts_short", [False, True])
@pytest.mark.parametrize("after_bytes", [0, 100_000])
async def test_a_photo_that_fails_twice_is_read_again_from_where_it_stopped(
    faulty: tuple[World, Faulty], after_bytes: int, cuts_short: bool
) -> None:
    world, store = faulty
    owner, found = await owned(world, b"one", LARGE, b"three")
    link = await world.download(owner, found)
    store.failures, store.after_bytes, store.cuts_short = 2, after_bytes, cuts_short
    before = broken()

    assert list(opened(await world.client.get(link)).values()) == [b"one", LARGE, b"three"]
    assert (store.failures, broken()) == (0, before)


async def test_a_photo_that_fails_for_good_breaks_the_archive_off(
    faulty: tuple[World, Faulty],
) -> None:
    world, store = faulty
    owner, found = await owned(world, LARGE, LARGE, LARGE)
    link = await world.download(owner, found)
    size = int((await world.client.head(link)).headers["content-length"])
    store.failures, store.fails_at = 1_000, found[1].filename
    before = broken()

    received = b""
    with contextlib.suppress(httpx.RemoteProtocolError):
        async with world.client.stream("GET", link) as answer:
            async for piece in answer.aiter_bytes():
                received += piece
            pytest.fail("the archive looked whole")
    assert len(LARGE) < len(received) < size
    assert broken() == before + 1
    # Before anything was sent it is an answer.
    at_second = {"Range": f"bytes={len(LARGE) + 50}-"}
    refused = await world.client.get(link, headers=at_second)
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    store.failures = 0
    rest = await world.client.get(link, headers={"Range": f"bytes={len(received)}-"})
    assert zipfile.ZipFile(io.BytesIO(received + rest.content)).testzip() is None


async def test_a_photo_that_is_deleted_midway_breaks_the_archive_off(world: World) -> None:
    owner, found = await owned(world, *[LARGE] * 4)
    link = await world.download(owner, found)
    size = int((await world.client.head(link)).headers["content-length"])
    with written_logs("json") as logged:
        async with clients_of(str(world.client.base_url), 1) as (client,):
            await client.get(link)
            await client.read(65_536)
            await world.store.delete(found[3].key)
            assert len(await client.read_to_the_end()) < size
        told = logged()
    assert told.count("answer_broken_off") == 1
    assert "Traceback" not in told
    assert "unexpected_error" not in told

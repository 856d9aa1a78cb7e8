"""The thumbnail that an analysis has made lies where media looks for it; it is never in the way."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from libs.common.errors import NotFound, Unavailable
from libs.common.messaging.messages import PhotoUploaded
from libs.common.storage.folder import FolderStore
from libs.common.storage.keys import rendition_key
from libs.common.storage.protocol import ObjectNotFound, StoreUnavailable
from services.recognition.engine.face_engine import EMBEDDED
from services.recognition.indexes.embedded.index import EmbeddedIndex
from services.recognition.indexes.face_index import IndexedPhoto, PhotoKey
from services.recognition.photos import thumbnails
from services.recognition.photos.analyze_photo import Analyzer, analyze_photo
from services.recognition.photos.claims import AnalysisClaims, AnalysisSlots
from services.recognition.photos.thumbnails import Thumbnails
from tests.support.stores import fetches_from
from tests.support.world import World

THUMBNAIL = b"a picture, made smaller"


class SmallIndex(EmbeddedIndex):
    """Finds nobody, and makes this thumbnail; does something meanwhile."""

    def __init__(self, thumbnail: bytes | None = THUMBNAIL) -> None:
        self.name = EMBEDDED.name
        self.photos_at_once = 1
        self.meanwhile: Callable[[], object] = lambda: None
        self._thumbnail = thumbnail

    async def index_photo(self, photo: PhotoKey, path: Path) -> IndexedPhoto:
        done = self.meanwhile()
        if asyncio.iscoroutine(done):
            await done
        return IndexedPhoto(width=1, height=1, placeholder="", faces=(), thumbnail=self._thumbnail)


class StubbornStore(FolderStore):
    """Takes no new objects: it fails, or hangs."""

    hangs = False

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        raise StoreUnavailable("The photo store is full.")


@dataclass
class Analysed:
    world: World
    store: FolderStore
    index: SmallIndex
    event: int

    async def analyse(self, photo: int, *, reindex_for: str | None = None) -> None:
        claims = AnalysisClaims(
            self.world.database, claimant="me", lease_seconds=60, replica_lease_seconds=10
        )
        analyzer = Analyzer(
            self.world.database,
            fetches_from(self.world.store),
            self.index,
            AnalysisSlots(1),
            claims,
            Thumbnails(self.store),
        )
        await analyze_photo(
            PhotoUploaded(event_id=self.event, photo_id=photo, reindex_for=reindex_for),
            delivery_attempt=1,
            last_attempt=False,
            is_repeat=False,
            using=analyzer,
        )

    async def photo(self) -> int:
        return await self.world.photo(self.event, "people", publish=False)

    async def key(self, photo: int) -> str:
        row = await self.world.photo_row(photo)
        return rendition_key(self.event, row.filename, "thumbnail")

    async def status(self, photo: int) -> str:
        return str((await self.world.photo_row(photo)).processing_status)


@pytest.fixture
async def analysed(world: World) -> Analysed:
    assert isinstance(world.store, FolderStore)
    return Analysed(world, world.store, SmallIndex(), await world.event())


async def test_it_lies_where_media_looks_for_it(analysed: Analysed) -> None:
    photo = await analysed.photo()
    await analysed.analyse(photo)
    assert await analysed.store.get(await analysed.key(photo)) == THUMBNAIL
    assert await analysed.status(photo) == "done"


async def test_what_is_left_to_media_is_not_there(analysed: Analysed) -> None:
    analysed.index = SmallIndex(thumbnail=None)
    photo = await analysed.photo()
    await analysed.analyse(photo)
    with pytest.raises(ObjectNotFound):
        await analysed.store.get(await analysed.key(photo))
    assert await analysed.status(photo) == "done"


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_store_that_does_not_take_it_fails_no_photo(
    analysed: Analysed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, hangs: bool
) -> None:
    monkeypatch.setattr(thumbnails, "PATIENCE_SECONDS", 0.05)
    store = await StubbornStore.open(tmp_path / "stubborn")
    assert isinstance(store, StubbornStore)
    store.hangs = hangs
    analysed.store = store
    photo = await analysed.photo()
    with capture_logs() as logs:
        await analysed.analyse(photo)
    assert await analysed.status(photo) == "done"
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == [
        "thumbnail_not_kept"
    ]


async def test_one_of_a_photo_that_was_deleted_meanwhile_goes(analysed: Analysed) -> None:
    photo = await analysed.photo()
    key = await analysed.key(photo)
    analysed.index.meanwhile = lambda: analysed.world.execute(
        text(f"DELETE FROM photos WHERE id = {photo}")
    )
    await analysed.analyse(photo)
    with pytest.raises(NotFound):
        await analysed.store.get(key)


async def test_one_whose_photo_could_not_be_committed_goes(
    analysed: Analysed, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await analysed.photo()

    async def away(*_: object) -> bool:
        raise Unavailable("The database is away.")

    monkeypatch.setattr("services.recognition.photos.analyze_photo._commit", away)
    with pytest.raises(Unavailable):
        await analysed.analyse(photo)
    with pytest.raises(ObjectNotFound):
        await analysed.store.get(await analysed.key(photo))
    monkeypatch.undo()
    await analysed.analyse(photo)
    assert await analysed.store.get(await analysed.key(photo)) == THUMBNAIL


async def test_one_of_a_deleted_photo_goes_where_nobody_can_tell_that_it_is(
    analysed: Analysed, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await analysed.photo()
    key = await analysed.key(photo)
    analysed.index.meanwhile = lambda: analysed.world.execute(
        text(f"DELETE FROM photos WHERE id = {photo}")
    )

    async def away(*_: object) -> bool:
        raise Unavailable("The database is away.")

    monkeypatch.setattr("services.recognition.photos.analyze_photo._is_gone", away)
    with pytest.raises(Unavailable):
        await analysed.analyse(photo)
    with pytest.raises(ObjectNotFound):
        await analysed.store.get(key)


async def test_a_photo_that_is_analysed_again_keeps_the_one_it_has(analysed: Analysed) -> None:
    photo = await analysed.photo()
    await analysed.analyse(photo)
    await analysed.world.execute(text("UPDATE photos SET engine = 'another'"))
    analysed.index = SmallIndex(b"another one")
    await analysed.analyse(photo, reindex_for=EMBEDDED.name)
    assert await analysed.world.scalar("SELECT engine FROM photos") == EMBEDDED.name
    assert await analysed.store.get(await analysed.key(photo)) == THUMBNAIL

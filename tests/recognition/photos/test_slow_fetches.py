"""A store that is slow over one photo keeps no analysis waiting of those that are here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from libs.common.messaging.messages import PhotoUploaded
from libs.common.storage.folder import FolderStore
from services.recognition.engine.face_engine import EMBEDDED
from services.recognition.indexes.embedded.index import EmbeddedIndex
from services.recognition.indexes.face_index import IndexedPhoto, PhotoKey
from services.recognition.photos.analyze_photo import Analyzer, analyze_photo
from services.recognition.photos.claims import AnalysisClaims, AnalysisSlots
from services.recognition.photos.thumbnails import Thumbnails
from tests.support.polling import eventually
from tests.support.stores import fetches_from
from tests.support.world import World


class SlowStore(FolderStore):
    """Holds the fetch of the first photo that is asked for."""

    def __init__(self, root: Path, *, is_read_only: bool = False) -> None:
        super().__init__(root, is_read_only=is_read_only)
        self.asked = 0
        self.may_go_on = asyncio.Event()

    @asynccontextmanager
    async def local_file(self, key: str) -> AsyncIterator[Path]:
        self.asked += 1
        if self.asked == 1:
            await self.may_go_on.wait()
        async with super().local_file(key) as path:
            yield path


class EmptyIndex(EmbeddedIndex):
    """Finds nobody."""

    def __init__(self) -> None:
        self.name = EMBEDDED.name
        self.photos_at_once = 1

    async def index_photo(self, photo: PhotoKey, path: Path) -> IndexedPhoto:
        return IndexedPhoto(width=1, height=1, placeholder="", faces=())


async def test_a_slot_is_not_held_while_a_photo_is_fetched(world: World, tmp_path: Path) -> None:
    store = await SlowStore.open(tmp_path / "slow")
    assert isinstance(store, SlowStore)
    slow_world = World(world.database, store)
    claims = AnalysisClaims(
        world.database, claimant="me", lease_seconds=60, replica_lease_seconds=10
    )
    analyzer = Analyzer(
        world.database,
        fetches_from(store),
        EmptyIndex(),
        AnalysisSlots(1),
        claims,
        Thumbnails(store),
    )
    event = await slow_world.event()
    slow, other = [await slow_world.photo(event, "people", publish=False) for _ in range(2)]

    def analyze(photo: int) -> asyncio.Task[None]:
        return asyncio.create_task(
            analyze_photo(
                PhotoUploaded(event_id=event, photo_id=photo),
                delivery_attempt=1,
                last_attempt=False,
                is_repeat=False,
                using=analyzer,
            )
        )

    fetching = analyze(slow)
    await eventually(lambda: store.asked == 1)
    await analyze(other)
    assert (await world.photo_row(other)).processing_status == "done"
    # Nor is it held against the photo what happens to the process meanwhile.
    assert (await world.photo_row(slow)).claimed_by is None
    store.may_go_on.set()
    await fetching
    assert (await world.photo_row(slow)).processing_status == "done"

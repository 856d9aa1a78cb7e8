"""The watcher on a real ingest service, in this process or in one that can be killed."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from findme_watch.settings import parse
from findme_watch.telling import Event, What
from findme_watch.watch import watch
from libs.common.accounts.api_keys import ApiKey
from libs.common.database.tables import api_keys, photos
from libs.common.storage.folder import FolderStore
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import Ingest, running_ingest
from tests.support.http_server import serving
from tests.support.rows import Rows
from tests.support.settings import settings_of


@dataclass
class Heard:
    """All that the watcher told."""

    events: list[Event] = field(default_factory=list)
    bytes_sent: int = 0

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def left(self, folder: Path, count: int) -> None:
        pass

    def sent_bytes(self, count: int) -> None:
        self.bytes_sent += count

    def names(self, what: What) -> list[str]:
        """The names of the files of which this was told, sorted."""
        return sorted(event.path.name for event in self.events if event.what is what and event.path)

    def reasons(self, what: What) -> list[str]:
        return [event.reason or "" for event in self.events if event.what is what]


async def key_of(rows: Rows, photographer_id: int) -> str:
    """A new upload key of the photographer's, as text."""
    key = ApiKey.new()
    row = {"id": key.id, "digest": key.digest, "user_id": photographer_id, "name": "Camera"}
    await rows.execute(insert(api_keys).values(row))
    return key.text


async def sent_photos(rows: Rows, event_id: int) -> Counter[tuple[str, str]]:
    """How many photos of each name and content the event has."""
    async with rows.database.read() as connection:
        found = await connection.execute(
            select(photos.c.original_filename, photos.c.sha256).where(photos.c.event_id == event_id)
        )
        return Counter((row.original_filename, row.sha256.hex()) for row in found)


@dataclass
class Place:
    """A folder, an event, and a server that takes its photos."""

    url: str
    key: str
    event_id: int
    photographer_id: int
    rows: Rows
    folder: Path
    state: Path
    ingest: Ingest

    def options(self, *more: str) -> list[str]:
        """What the watcher is called with; files are taken after a moment."""
        given = [str(self.folder), "--url", self.url, "--key", self.key, "--state", str(self.state)]
        if "--event" not in more:
            given += ["--event", str(self.event_id)]
        return [*given, "--still", "0.05", "--patience", "0.2", "--poll-seconds", "0.05", *more]

    async def watch(self, *more: str) -> tuple[int, Heard]:
        """Run the watcher until all is done; return how many photos were not sent."""
        heard = Heard()
        return await watch(parse(self.options("--once", *more), {}), heard), heard

    async def photos(self) -> Counter[tuple[str, str]]:
        return await sent_photos(self.rows, self.event_id)

    async def names(self) -> list[str]:
        return sorted(name for name, _ in (await self.photos()).elements())


@pytest.fixture
async def place(database_url: str, tmp_path: Path) -> AsyncIterator[Place]:
    """An empty folder and an empty event."""
    settings = settings_of(IngestSettings, database_url, photo_store_dir=tmp_path / "objects")
    store = await FolderStore.open(settings.photo_store_dir)
    folder = tmp_path / "photos"
    folder.mkdir()
    async with running_ingest(settings, store) as ingest, serving(ingest.app) as url:
        photographer_id = await ingest.world.user("photographer")
        yield Place(
            url,
            await key_of(ingest.world, photographer_id),
            await ingest.world.event(photographer_id),
            photographer_id,
            ingest.world,
            folder,
            tmp_path / "state" / "manifest.sqlite3",
            ingest,
        )

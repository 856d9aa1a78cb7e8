"""Archives that were laid out: requests for the parts of one share it.

A phone that goes on with a download asks for many parts, and a client that fetches by eight
connections for eight at once; of 100,000 photos each would lay out 50 MB anew.
"""

import uuid
from typing import Final, Self

from cachetools import TTLCache

from libs.common.database.database import Database
from libs.common.limits.fair_queue import FairQueue
from libs.common.storage.protocol import ObjectStore
from services.media.archives import repository
from services.media.archives.archive import lay_out
from services.media.archives.content import Content
from services.media.archives.layout import Layout
from services.media.archives.lost import StoredPhotos
from services.media.archives.preparing import BeingPrepared
from services.media.archives.repository import Download
from services.media.renditions.single_flight import SingleFlight

#: Files of all layouts that are kept, some 500 bytes each: the largest archive, or 20 of 5,000.
MAX_FILES: Final = 100_000
KEPT_SECONDS: Final = 600.0
#: Laid out at once; a few wait, of each account in its turn.
AT_ONCE: Final = 2
MAX_WAITING: Final = 200
RETRY_AFTER_SECONDS: Final = 5


class Layouts:
    """The layouts that this process makes, and those that were wanted last."""

    def __init__(self, database: Database, store: ObjectStore) -> None:
        self._database = database
        self._store = store
        self._kept: TTLCache[tuple[uuid.UUID, str], Layout[Content]] = TTLCache(
            MAX_FILES, KEPT_SECONDS, getsizeof=len
        )
        self._flights = SingleFlight[Layout[Content]]()
        self._line = FairQueue(
            at_once=AT_ONCE,
            max_waiting=MAX_WAITING,
            refusal="Too many downloads are being prepared.",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )

    async def __aenter__(self) -> Self:
        await self._flights.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._flights.__aexit__()

    async def of(self, download: Download) -> Layout[Content]:
        """Return the archive of the photos that are there at this moment.

        The database says whether they are those of a layout that is there. Raises DownloadOver
        where there are none, BeingPrepared where copies are not known, and Unavailable.
        """
        async with self._database.read() as connection:
            found = await repository.preparation(connection, download)
        if found.prepared < found.photos:
            raise BeingPrepared
        layout = self._kept.get((download.id, found.version))
        if layout is not None:
            return layout
        flight = f"{download.id} {found.version}"
        return await self._flights.run(flight, lambda: self._lay_out(download, found.photos))

    def forget(self, download_id: uuid.UUID) -> None:
        """Lay the archive out anew when it is wanted next, and see what the store has."""
        for key in [key for key in self._kept if key[0] == download_id]:
            del self._kept[key]

    async def _lay_out(self, download: Download, photos: int) -> Layout[Content]:
        async with self._line.turn(str(download.principal.user_id)):
            # Before the snapshot, which does not wait for the store's list.
            wanted = 0 if download.is_of_copies else photos
            stored = await StoredPhotos.of(self._store, download.event_id, wanted=wanted)
            async with self._database.snapshot() as connection:
                found = await repository.preparation(connection, download)
                if found.prepared < found.photos:
                    raise BeingPrepared
                layout = await lay_out(download, connection, stored)
        # The one before is another archive now.
        self.forget(download.id)
        if len(layout) <= MAX_FILES:
            self._kept[download.id, found.version] = layout
        return layout

"""Whether an archive may still be sent: asked while it is sent, which takes up to hours."""

import time
from collections.abc import Callable
from typing import Final

import structlog

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.errors import FindMeError, Gone
from services.media.archives import repository
from services.media.archives.content import Content
from services.media.archives.layout import Layout, Stored
from services.media.archives.repository import Download

#: So long an account that is locked, an event that ends, or a photo that is hidden goes unnoticed.
ASKED_EVERY_SECONDS: Final = 1.0
#: Photos that are asked for together: those that come next.
ASKED_AT_ONCE: Final = 100

log = structlog.get_logger(__name__)


class DownloadOver(Gone):
    """The link was ours; its account, its event or its photos are gone, or its time is over."""

    def __init__(self) -> None:
        super().__init__("This download is over. Ask for the photos again.")


class Right:
    """The right to one download, as the database says; where it does not, as it last said."""

    def __init__(
        self,
        download: Download,
        layout: Layout[Content],
        database: Database,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """What was laid out just now may be sent."""
        self.download = download
        self._layout = layout
        self._database = database
        self._clock = clock
        self._asked_at = clock()
        #: Whether what was not asked for may be sent until it is asked again.
        self._trusts = True
        self._seen: frozenset[int] = frozenset()
        self._hidden: frozenset[int] = frozenset()

    async def require(self, wanted: Stored[Content]) -> None:
        """Raises DownloadOver, EventOver, EventErased: also where the one photo may not be seen."""
        content = wanted.entry.content
        is_known = self._trusts or content.photo is None or content.photo_id in self._seen
        if not is_known or self._clock() - self._asked_at >= ASKED_EVERY_SECONDS:
            await self._ask(wanted.number)
        if content.photo is not None and content.photo_id in self._hidden:
            raise DownloadOver

    async def _ask(self, number: int) -> None:
        next_ones = self._layout.entries(number, ASKED_AT_ONCE)
        wanted = frozenset(e.content.photo_id for e in next_ones if e.content.photo is not None)
        try:
            async with self._database.read() as connection:
                download = await repository.find_download(connection, self.download.id)
                seen = await repository.visible(connection, self.download, wanted)
        except (FindMeError, *DATABASE_ERRORS) as error:
            log.warning("download_right_unknown", kind=type(error).__name__)
            self._trusts = True
        else:
            if download is None or not download.is_as(self.download):
                raise DownloadOver
            download.event.require_open(download.event_id, runs_event=download.runs_event)
            self._trusts = False
            self._seen, self._hidden = seen, wanted - seen
        self._asked_at = self._clock()

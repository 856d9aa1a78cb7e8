"""What is done to send an archive, in its order: limits first, so that no work is without one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from libs.common.database.database import Database
from services.media.archives import repository
from services.media.archives.content import Content
from services.media.archives.layout import Layout
from services.media.archives.layouts import Layouts
from services.media.archives.places import ArchivePlaces
from services.media.archives.preparing import Preparations
from services.media.archives.repository import Download

#: So long a request for an archive waits for its copies, below all gateways' 75 s.
WAIT_SECONDS: Final = 25.0


@dataclass(frozen=True, slots=True)
class Archives:
    """The archives of a process."""

    database: Database
    preparations: Preparations
    layouts: Layouts
    places: ArchivePlaces

    @asynccontextmanager
    async def sending(
        self, download: Download, *, from_start: bool
    ) -> AsyncIterator[Layout[Content]]:
        """Hold a place for the block, in which the archive is sent; one that is begun is noted.

        Who waits for copies has none of the process's places: they wait for work that is bounded
        by itself. Raises what `described` raises, TooManyRequests, Unavailable.
        """
        with self.places.of_account(download.principal.user_id):
            await self._prepare(download)
            with self.places.one():
                layout = await self.layouts.of(download)
                if from_start and download.etag is None:
                    await self._note(download, layout)
                yield layout

    async def described(self, download: Download) -> Layout[Content]:
        """Return the archive of which nothing is sent.

        Raises DownloadOver, BeingPrepared, Unavailable.
        """
        await self._prepare(download)
        return await self.layouts.of(download)

    async def _prepare(self, download: Download) -> None:
        await self.preparations.prepare(download, wait_seconds=WAIT_SECONDS)

    async def _note(self, download: Download, layout: Layout[Content]) -> None:
        async for attempt in self.database.attempts():
            async with attempt as unit:
                await repository.note_etag(unit.connection, download.id, layout.etag)

"""What the gallery's routes work with, made once per process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from anyio import CapacityLimiter
from cachetools import TTLCache
from fastapi import Depends, Request

from libs.common.database.database import Database
from libs.common.errors import Unavailable
from libs.common.web.signed_urls import SignedUrls
from services.gallery.accounts.passwords import Passwords
from services.gallery.lists.cache import ListCache
from services.gallery.lists.long_lists import LongLists
from services.gallery.live.updates import LiveUpdates
from services.gallery.people.recognition_client import RecognitionPeople
from services.gallery.settings import GallerySettings

MAIN_EVENTS_KEPT = 20_000
MAIN_EVENT_SECONDS = 30.0
#: A list that nobody reads before that is asked for again. One whose database says nothing takes
#: all of DB_COMMAND_TIMEOUT, and those behind it would add up.
LIST_TURN_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Gallery:
    """The collaborators of the routes."""

    settings: GallerySettings
    database: Database
    urls: SignedUrls
    passwords: Passwords
    cache: ListCache
    live: LiveUpdates
    #: Bounds how many lists are read at once, and with that their memory: up to 9 MB each, while
    #: the connections would allow for many more of them.
    list_loads: CapacityLimiter
    #: Bounds the lists that are too long for memory.
    long_lists: LongLists
    recognition: RecognitionPeople
    #: A participant's first event, which never changes while it exists.
    main_events: TTLCache[int, int]

    @classmethod
    def of(
        cls, settings: GallerySettings, database: Database, recognition: RecognitionPeople
    ) -> "Gallery":
        """Build them from the settings."""
        return cls(
            settings=settings,
            database=database,
            urls=SignedUrls(settings.secret_key.get_secret_value()),
            passwords=Passwords(at_once=settings.password_hashes_at_once),
            cache=ListCache(
                max_bytes=settings.list_cache_bytes,
                ttl_seconds=settings.list_cache_seconds,
            ),
            live=LiveUpdates(max_streams=settings.live_streams_max),
            list_loads=CapacityLimiter(settings.list_loads_at_once),
            long_lists=LongLists(),
            recognition=recognition,
            main_events=TTLCache(MAIN_EVENTS_KEPT, MAIN_EVENT_SECONDS),
        )

    @asynccontextmanager
    async def list_turn(self) -> AsyncIterator[None]:
        """Wait for one's turn to read a list. Raises Unavailable."""
        try:
            async with asyncio.timeout(LIST_TURN_SECONDS):
                await self.list_loads.acquire()
        except TimeoutError as error:
            msg = "Too many lists are being read at this moment. Try again in a few seconds."
            raise Unavailable(msg) from error
        try:
            yield
        finally:
            self.list_loads.release()


def _gallery(request: Request) -> Gallery:
    gallery: Gallery = request.app.state.gallery
    return gallery


CurrentGallery = Annotated[Gallery, Depends(_gallery)]

"""What the gallery's routes work with, made once per process."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request

from libs.common.database.database import Database
from libs.common.limits.fair_queue import FairQueue
from libs.common.limits.limiter import Limiter
from libs.common.rights.event_ends import EventEnds
from libs.common.web.signed_urls import SignedUrls
from services.gallery.accounts.hashing import hashing_pool
from services.gallery.accounts.passwords import Passwords
from services.gallery.events.links import PhotoLinks
from services.gallery.events.main_events import MainEvents
from services.gallery.lists.cache import ListCache
from services.gallery.lists.long_lists import LongLists
from services.gallery.lists.photo_parts import PhotoParts
from services.gallery.live.updates import LiveUpdates
from services.gallery.people.recognition_client import RecognitionPeople
from services.gallery.settings import GallerySettings
from services.gallery.sharing.rules import WallLinks
from services.gallery.sharing.walls import WallShows

#: A list that nobody reads before that is asked for again. One whose database says nothing takes
#: all of DB_COMMAND_TIMEOUT, and those behind it would add up.
LIST_TURN_SECONDS = 20.0
#: Of all accounts; one more is refused at once, whoever has most in the queue first.
MAX_WAITING_LISTS = 2000
LIST_RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Gallery:
    """The collaborators of the routes."""

    settings: GallerySettings
    database: Database
    links: PhotoLinks
    wall_links: WallLinks
    wall_shows: WallShows
    ends: EventEnds
    passwords: Passwords
    limiter: Limiter
    cache: ListCache
    #: What the pages in the cache are joined from.
    parts: PhotoParts
    live: LiveUpdates
    #: Bounds how many lists are read at once, and with that their memory (up to 9 MB each), and
    #: whose turn it is: accounts take turns, so that who asks for a hundred waits for their own.
    list_loads: FairQueue
    #: Bounds the lists that are too long for memory.
    long_lists: LongLists
    recognition: RecognitionPeople
    main_events: MainEvents

    @classmethod
    def of(
        cls,
        settings: GallerySettings,
        database: Database,
        recognition: RecognitionPeople,
        limiter: Limiter,
    ) -> "Gallery":
        """Build them from the settings."""
        links = PhotoLinks(
            SignedUrls(settings.signing_keys), grace=timedelta(days=settings.event_grace_days)
        )
        return cls(
            settings=settings,
            database=database,
            links=links,
            wall_links=WallLinks(settings.signing_keys),
            wall_shows=WallShows(
                links,
                invite_template=settings.invite_url,
                invite_base=settings.public_origin or "",
            ),
            ends=EventEnds(database),
            passwords=_passwords(settings),
            limiter=limiter,
            cache=ListCache(
                max_bytes=settings.list_cache_bytes // 2,
                ttl_seconds=settings.list_cache_seconds,
            ),
            parts=PhotoParts(max_bytes=settings.list_cache_bytes // 2),
            live=LiveUpdates(
                max_streams=settings.live_streams_max,
                per_account=settings.live_streams_per_account,
            ),
            list_loads=FairQueue(
                # Whoever has a turn has a connection, too, and waits in no second line.
                at_once=max(min(settings.list_loads_at_once, settings.db_scans_at_once), 1),
                max_waiting=MAX_WAITING_LISTS,
                patience_seconds=LIST_TURN_SECONDS,
                refusal="Too many lists are being read at this moment.",
                retry_after_seconds=LIST_RETRY_SECONDS,
            ),
            long_lists=LongLists(),
            recognition=recognition,
            main_events=MainEvents(database),
        )

    def list_turn(self, account_id: int) -> AbstractAsyncContextManager[None]:
        """Wait for the account's turn to read a list. Raises Unavailable."""
        return self.list_loads.turn(str(account_id))


def _passwords(settings: GallerySettings) -> Passwords:
    at_once = settings.password_hashes_at_once
    workers = hashing_pool(
        at_once,
        memory_kib=settings.password_hash_memory_kib,
        passes=settings.password_hash_passes,
        lanes=settings.password_hash_lanes,
    )
    return Passwords(at_once=at_once, hasher=workers)


async def _gallery(request: Request) -> Gallery:
    gallery: Gallery = request.app.state.gallery
    return gallery


CurrentGallery = Annotated[Gallery, Depends(_gallery)]

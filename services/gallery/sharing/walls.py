"""Walls: made and revoked by who runs the event, and what a screen shows."""

import asyncio
import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson
from cachetools import TTLCache
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.audit import Action, record
from libs.common.database.database import Database
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import Conflict, NotFound
from libs.common.web.auth import Principal
from services.gallery.events.access import require_event, require_visible_event
from services.gallery.events.links import PhotoLinks
from services.gallery.events.rules import Event, invite_url
from services.gallery.sharing import repository
from services.gallery.sharing.rules import MAX_WALLS, MIXED, NEWEST, Wall, WallPhoto
from services.gallery.web.answers import View

#: Of one event, for all of its screens: looked up at most so often.
SHOW_SECONDS: Final = 2.0
MIX_SECONDS: Final = 60.0
MAX_EVENTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Show:
    """What a wall's screen is answered, and its tag."""

    body: bytes
    tag: str


class WallNotFound(NotFound):
    """The link was never ours, or is revoked."""

    def __init__(self) -> None:
        super().__init__("Wall", 0)
        self.args = ("This wall is not there any more. Ask for a new link.",)


async def make_wall(event_id: int, principal: Principal, *, unit: UnitOfWork) -> Wall:
    """Make a wall. Raises NotFound, EventOver, and Conflict where there are too many."""
    connection = unit.connection
    event = await require_visible_event(connection, principal, event_id)
    event.state.require_open(event_id, runs_event=False)
    if not await repository.keep_event(connection, event_id):
        raise NotFound("Event", event_id)
    if len(await repository.walls_of(connection, event_id)) >= MAX_WALLS:
        msg = f"There are {MAX_WALLS} walls already. Take one down that is not used any more."
        raise Conflict(msg)
    wall = await repository.add_wall(connection, event_id)
    await record(connection, Action.WALL_CREATED, actor_id=principal.user_id, event_id=event_id)
    return wall


async def revoke_wall(
    event_id: int, wall_id: uuid.UUID, principal: Principal, *, unit: UnitOfWork
) -> None:
    """End a wall: its screens go dark with their next look. Raises NotFound."""
    connection = unit.connection
    await require_visible_event(connection, principal, event_id)
    if not await repository.delete_wall(connection, event_id, wall_id):
        raise NotFound("Wall", str(wall_id))
    await record(connection, Action.WALL_REVOKED, actor_id=principal.user_id, event_id=event_id)


class WallShows:
    """What walls show, kept for seconds: ten screens of an event are one look at the database."""

    def __init__(self, links: PhotoLinks, *, invite_template: str, invite_base: str) -> None:
        self._links = links
        self._invite = invite_template, invite_base
        self._shows: TTLCache[int, Show] = TTLCache(MAX_EVENTS, SHOW_SECONDS)
        self._mixes: TTLCache[int, list[int]] = TTLCache(MAX_EVENTS, MIX_SECONDS)
        self._looking: dict[int, asyncio.Lock] = {}

    async def show(self, wall_id: uuid.UUID, *, database: Database) -> Show:
        """Return what the wall shows at this moment. Raises WallNotFound, EventOver."""
        async with database.read() as connection:
            wall = await repository.find_wall(connection, wall_id)
            if wall is None:
                raise WallNotFound
            event = await require_event(connection, wall.event_id)
        event.state.require_open(event.id, runs_event=False)
        lock = self._looking.setdefault(event.id, asyncio.Lock())
        try:
            async with lock:
                show: Show | None = self._shows.get(event.id)
                if show is None:
                    async with database.scan(patient=False) as connection:
                        show = await self._look(connection, event)
                    self._shows[event.id] = show
        finally:
            if not lock.locked():
                self._looking.pop(event.id, None)
        return show

    async def _look(self, connection: AsyncConnection, event: Event) -> Show:
        mix = self._mixes.get(event.id)
        if mix is None:
            mix = await repository.mixed_photos(connection, event.id, MIXED)
            self._mixes[event.id] = mix
        photos = await repository.shown_photos(connection, event.id, newest=NEWEST, among=mix)
        now = datetime.now(UTC)
        template, base = self._invite
        body = orjson.dumps(
            {
                "event_name": event.name,
                "event_code": event.event_code,
                "invite_url": invite_url(template, event.event_code, base_url=base),
                "newest": min(len(photos), NEWEST),
                "photos": [self._photo(photo, event, now) for photo in photos],
            }
        )
        return Show(body, hashlib.sha256(body).hexdigest()[:32])

    def _photo(self, photo: WallPhoto, event: Event, now: datetime) -> View:
        urls = self._links.for_screen(event.id, photo.filename, event.end, now=now)
        return {
            "id": photo.id,
            "width": photo.width,
            "height": photo.height,
            "placeholder": photo.placeholder,
            "preview_url": urls.preview,
            "url": urls.whole,
        }

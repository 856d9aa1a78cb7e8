"""Photos that somebody takes along: chosen here, with the rights of the moment, sent by media.

The choice is a row and not a part of the link: 5,000 ids fit no link, and a download that broke off
goes on with the photos that it began with, whatever has come since.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn

from libs.common.database.audit import Action, record
from libs.common.database.clock import present_moment
from libs.common.database.database import Database
from libs.common.database.expired_rows import keep_deleting
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import AccountGone, NotFound
from libs.common.photo_downloads import Folders
from libs.common.web.auth import Principal
from services.gallery.downloads import repository
from services.gallery.downloads.rules import (
    MAX_KEPT,
    MAX_PHOTOS,
    Which,
    digest,
    link_end,
    require_may_ask,
    require_not_too_many,
)
from services.gallery.events.access import require_visible_event

CLEANED_EVERY_SECONDS: Final = 300.0
DELETED_AT_ONCE: Final = 100
_NONE_THERE: Final = {
    Which.MINE: "There are no photos of you in this event yet. Send a selfie, or look again later.",
    Which.ALL: "There are no photos in this event yet. Look again later.",
    Which.SELECTED: "None of these photos is there, or for you. Choose others.",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which photos of an event somebody wants; `photo_ids` are those that are selected."""

    event_id: int
    which: Which
    folders: Folders
    photo_ids: Sequence[int] = ()


class NoPhotos(NotFound):
    """None of what was asked for is there, or for the caller."""

    def __init__(self, which: Which, event_id: int) -> None:
        super().__init__("Photo", event_id)
        self.args = (_NONE_THERE[which],)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A download that can be fetched."""

    id: uuid.UUID
    expires_at: datetime
    photos: int
    left_out: Sequence[int]


async def take_along(asked: Asked, principal: Principal, *, unit: UnitOfWork) -> Chosen:
    """Keep the choice. Raises NotAllowed, NotFound, EventOver, InvalidInput, AccountGone."""
    connection = unit.connection
    event = await require_visible_event(connection, principal, asked.event_id)
    require_may_ask(asked.which, principal.role)
    is_somebody, is_event = await repository.keep_both(
        connection, principal.user_id, asked.event_id
    )
    if not is_somebody:
        raise AccountGone(principal.user_id)
    if not is_event:
        raise NotFound("Event", asked.event_id)
    match asked.which:
        case Which.MINE:
            choice = repository.showing(asked.event_id, principal.user_id)
        case Which.ALL:
            choice = repository.any_photo()
        case Which.SELECTED:
            choice = repository.named(asked.photo_ids)
    found = await repository.find_photos(
        connection, principal, asked.event_id, choice, limit=MAX_PHOTOS + 1
    )
    require_not_too_many(len(found))
    if not found:
        raise NoPhotos(asked.which, asked.event_id)
    names = {}
    if asked.folders is Folders.PHOTOGRAPHER:
        names = await repository.photographers_of(connection, found)
    expires_at = link_end(await present_moment(connection), event.expires_at, principal.role)
    download_id = await repository.keep_download(
        connection,
        user_id=principal.user_id,
        event_id=asked.event_id,
        photo_ids=found,
        folders=asked.folders,
        photographers=names,
        digest=digest(asked.event_id, asked.folders, found),
        expires_at=expires_at,
    )
    await record(
        connection,
        Action.PHOTOS_DOWNLOADED,
        actor_id=principal.user_id,
        event_id=asked.event_id,
        details={"photos": len(found), "which": asked.which.value},
    )
    await repository.delete_surplus(connection, principal.user_id, kept=MAX_KEPT)
    left_out = sorted(set(asked.photo_ids) - set(found))
    return Chosen(download_id, expires_at, len(found), left_out)


async def delete_expired_downloads(database: Database) -> NoReturn:
    """Keep deleting choices whose links are good no more."""
    await keep_deleting(
        repository.delete_expired,
        database,
        every_seconds=CLEANED_EVERY_SECONDS,
        at_once=DELETED_AT_ONCE,
        waits="expired_downloads_wait",
    )

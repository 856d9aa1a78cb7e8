"""Folder watchers: the programs that send a photographer's folders."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints

from libs.common.web.auth import Uploader
from libs.common.web.ids import PathId, RowId
from libs.common.web.openapi import problems
from libs.common.web.texts import StorableText
from services.ingest.context import IngestContext
from services.ingest.watchers import changes
from services.ingest.watchers.repository import Watcher
from services.ingest.watchers.uploads import MAX_ERROR_CHARACTERS

router = APIRouter(prefix="/api/admin/local-watchers", tags=["watchers"])

Label = Annotated[StorableText, StringConstraints(max_length=200)]
FolderPath = Annotated[StorableText, StringConstraints(max_length=4096)]


class WatcherStats(BaseModel):
    """Files that the watcher has sent: taken in, refused or failed, and both."""

    ingested: int
    failed: int
    total: int


class WatcherAnswer(BaseModel):
    """A folder watcher.

    `status` is "error" after an upload that failed and while its program has a problem, "stopped"
    when it is not to listen, "active" when its program is there (it said so within two minutes, or
    has sent photos within ten), else "idle".
    """

    id: int
    event_id: int
    event_name: str
    label: str | None
    machine_label: str | None
    expected_path: str | None
    move_uploaded_dir: str | None
    listening: bool
    status: Literal["active", "idle", "stopped", "error"]
    last_error: str | None
    created_at: datetime
    updated_at: datetime
    stats: WatcherStats


class NewWatcher(BaseModel):
    """A watcher to be made; the labels are for people to tell one from the other."""

    event_id: RowId
    label: Label | None = None
    expected_path: FolderPath | None = None
    move_uploaded_dir: FolderPath | None = None
    machine_label: Label | None = None


class WatcherChanges(BaseModel):
    """What is to change; null leaves what is there."""

    label: Label | None = None
    expected_path: FolderPath | None = None
    move_uploaded_dir: FolderPath | None = None
    listening: bool | None = None


class WatcherCreated(BaseModel):
    """The new watcher's id."""

    id: int


class WatcherUpdated(BaseModel):
    """The watcher is changed."""

    updated: Literal[True] = True


class WatcherDeleted(BaseModel):
    """The watcher is gone; the photos that it sent are not."""

    deleted: Literal[True] = True


class OpenEventAnswer(BaseModel):
    """An event that photos may be sent to."""

    id: int
    name: str


class Heartbeat(BaseModel):
    """A watcher's program is there."""

    problem: Annotated[StorableText, StringConstraints(max_length=MAX_ERROR_CHARACTERS)] | None = (
        Field(default=None, description="Why it cannot look after its folder; null when it can.")
    )


class WatcherSeen(BaseModel):
    """The watcher counts as active for two minutes."""

    seen: Literal[True] = True


@router.get("")
async def list_watchers(
    principal: Uploader,
    context: IngestContext,
    event_id: RowId | None = None,
    machine_label: Annotated[Label | None, Query()] = None,
) -> list[WatcherAnswer]:
    """List the watchers of one's own events, newest first; an admin's are all."""
    found = await changes.list_watchers(
        principal,
        event_id=event_id,
        machine_label=machine_label,
        database=context.resources.database,
    )
    return [_answer(watcher) for watcher in found]


@router.post("", responses=problems(404, 409))
async def create_watcher(
    asked: NewWatcher, principal: Uploader, context: IngestContext
) -> WatcherCreated:
    """Make a watcher for one of one's own events."""
    watcher_id = await changes.create_watcher(
        principal,
        asked.event_id,
        asked.model_dump(exclude={"event_id"}),
        database=context.resources.database,
    )
    return WatcherCreated(id=watcher_id)


@router.get("/events")
async def list_open_events(principal: Uploader, context: IngestContext) -> list[OpenEventAnswer]:
    """List the events that one may send photos to, newest first; a key for one event shows it."""
    found = await changes.list_open_events(principal, database=context.resources.database)
    return [OpenEventAnswer(id=event.id, name=event.name) for event in found]


@router.post("/{watcher_id}/heartbeat", responses=problems(404))
async def note_seen(
    watcher_id: PathId, beat: Heartbeat, principal: Uploader, context: IngestContext
) -> WatcherSeen:
    """Say that a watcher's program is there, and what is wrong with its folder."""
    await changes.note_seen(
        principal, watcher_id, beat.problem, database=context.resources.database
    )
    return WatcherSeen()


@router.put("/{watcher_id}", responses=problems(404))
async def change_watcher(
    watcher_id: PathId,
    asked: WatcherChanges,
    principal: Uploader,
    context: IngestContext,
) -> WatcherUpdated:
    """Change a watcher; the program asks for it at its next look."""
    await changes.change_watcher(
        principal,
        watcher_id,
        asked.model_dump(exclude_none=True),
        database=context.resources.database,
    )
    return WatcherUpdated()


@router.delete("/{watcher_id}", responses=problems(404))
async def delete_watcher(
    watcher_id: PathId, principal: Uploader, context: IngestContext
) -> WatcherDeleted:
    """Remove a watcher; photos that it sent stay."""
    await changes.delete_watcher(principal, watcher_id, database=context.resources.database)
    return WatcherDeleted()


def _answer(watcher: Watcher) -> WatcherAnswer:
    return WatcherAnswer(
        id=watcher.id,
        event_id=watcher.event_id,
        event_name=watcher.event_name,
        label=watcher.label,
        machine_label=watcher.machine_label,
        expected_path=watcher.expected_path,
        move_uploaded_dir=watcher.move_uploaded_dir,
        listening=watcher.listening,
        status=_status(watcher),
        last_error=watcher.last_error,
        created_at=watcher.created_at,
        updated_at=watcher.updated_at,
        stats=WatcherStats(
            ingested=watcher.ingested,
            failed=watcher.failed,
            total=watcher.ingested + watcher.failed,
        ),
    )


def _status(watcher: Watcher) -> Literal["active", "idle", "stopped", "error"]:
    if not watcher.listening:
        return "stopped"
    if watcher.last_error is not None:
        return "error"
    return "active" if watcher.is_active else "idle"

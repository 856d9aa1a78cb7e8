"""`findme-watch doctor`: look at everything that has to be right, and say why nothing happens."""

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console
from rich.markup import escape

from findme_watch.folder import read_folder
from findme_watch.folder_watch import what_of
from findme_watch.manifest import Manifest, ManifestUnusable
from findme_watch.server import (
    Access,
    NotNow,
    Refused,
    Server,
    Shut,
    Stumbled,
    new_client,
    why_not_reached,
)
from findme_watch.settings import Settings
from findme_watch.status import is_alive
from findme_watch.watching import UnreadableChange, changes, remote_kind

#: An event of the system takes milliseconds.
_EVENT_SECONDS: Final = 5.0
_CLOCK_TOLERANCE_SECONDS: Final = 120.0
_LITTLE_DISK_BYTES: Final = 500 * 1024 * 1024
#: A content that no event has.
_NOTHING: Final = "0" * 64
_INOTIFY: Final = Path("/proc/sys/fs/inotify")


class Mark(Enum):
    """What a finding means."""

    GOOD = "ok"
    NOTE = "note"
    BAD = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was looked at, and what to do where it is not right."""

    mark: Mark
    text: str


async def examine(settings: Settings) -> int:
    """Print what is found as it is found; return 1 when something is wrong."""
    console = Console()
    is_good = True
    async for finding in findings(settings):
        is_good = is_good and finding.mark is not Mark.BAD
        colour = {Mark.GOOD: "green", Mark.NOTE: "yellow", Mark.BAD: "red"}[finding.mark]
        console.print(
            f"[{colour}]{finding.mark.value:>5}[/]  {escape(finding.text)}", highlight=False
        )
    return 0 if is_good else 1


async def findings(settings: Settings) -> AsyncIterator[Finding]:
    """Yield what is found: of the list of what was sent, the folder, and the server."""
    for finding in _of_state(settings):
        yield finding
    if settings.folder is None:
        yield Finding(Mark.NOTE, "No folder was named, so that none was looked at.")
    else:
        async for finding in _of_folder(settings.folder, settings):
            yield finding
    if settings.access is None:
        yield Finding(Mark.BAD, "No server was named: --url https://… (or FINDME_URL).")
        return
    async for finding in _of_server(settings.access, settings):
        yield finding


def _of_state(settings: Settings) -> Iterator[Finding]:
    try:
        with Manifest.open(settings.state) as manifest:
            runs = manifest.runs()
    except ManifestUnusable as error:
        yield Finding(Mark.BAD, str(error))
        return
    yield Finding(Mark.GOOD, f"What was sent is remembered in {settings.state}.")
    yield from _of_disk(settings.state.parent)
    for run in runs:
        if settings.folder not in (None, run.folder):
            continue
        if run.problem:
            yield Finding(Mark.BAD, f"{run.folder}: {run.problem}")
        elif is_alive(run):
            yield Finding(Mark.GOOD, f"{run.folder} is watched now (process {run.pid}).")
        else:
            seen = time.ctime(run.seen_at)
            yield Finding(Mark.NOTE, f"{run.folder} is not watched; it was last at {seen}.")


def _of_disk(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    if free < _LITTLE_DISK_BYTES:
        yield Finding(Mark.BAD, f"The disk of {folder} is nearly full: {free / 1e6:.0f} MB left.")


async def _of_folder(folder: Path, settings: Settings) -> AsyncIterator[Finding]:
    try:
        contents = await asyncio.to_thread(read_folder, folder, what_of(settings.template))
    except OSError as error:
        yield Finding(
            Mark.BAD, f"The folder {folder} cannot be read: {error.strerror}. Is the card in?"
        )
        return
    yield Finding(
        Mark.GOOD,
        f"{folder}: {len(contents.photos)} photos, {len(contents.others)} other files,"
        f" {contents.ignored} ignored.",
    )
    for path, reason in contents.unreadable.items():
        yield Finding(Mark.BAD, f"{path}: {reason}")
    ahead = [
        path for path, look in contents.photos.items() if look.mtime_ns / 1e9 > time.time() + 60
    ]
    if ahead:
        yield Finding(
            Mark.NOTE,
            f"{len(ahead)} photos are from the future, such as {ahead[0].name}: the camera's clock"
            " is ahead. They are sent all the same.",
        )
    kind = await asyncio.to_thread(remote_kind, folder)
    if kind is not None:
        yield Finding(Mark.NOTE, f"It is on another machine ({kind}): it is polled.")
    else:
        yield await _of_events(folder)
    for finding in _of_inotify(folder):
        yield finding
    target = settings.template.move_to
    if target is not None:
        yield _of_target(target)


async def _of_events(folder: Path) -> Finding:
    """Make a hidden file and see whether the system tells."""
    try:
        with tempfile.NamedTemporaryFile(prefix=".findme-watch-", dir=folder):
            pass
    except OSError:
        return Finding(Mark.NOTE, "Nothing can be written there, so events were not tried.")
    try:
        async with asyncio.timeout(_EVENT_SECONDS):
            watching = changes(folder)
            first = asyncio.ensure_future(anext(watching))
            try:
                while not first.done():
                    with tempfile.NamedTemporaryFile(prefix=".findme-watch-", dir=folder):
                        await asyncio.wait([first], timeout=0.2)
                first.result()
            finally:
                first.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await first
    except TimeoutError:
        return Finding(Mark.NOTE, "The system tells no changes there: it is polled.")
    except (OSError, UnreadableChange) as error:
        return Finding(Mark.NOTE, f"The system tells no changes ({error}): it is polled.")
    return Finding(Mark.GOOD, "The system tells of changes there.")


def _of_inotify(folder: Path) -> Iterator[Finding]:
    if sys.platform != "linux":
        return
    try:
        limit = int((_INOTIFY / "max_user_watches").read_text())
    except (OSError, ValueError):
        return
    folders = sum(1 for _ in os.walk(folder))
    if folders > limit / 2:
        yield Finding(
            Mark.NOTE,
            f"There are {folders} folders, and the system's limit of watches is {limit}"
            " (fs.inotify.max_user_watches). Raise it, or the folder is polled.",
        )


def _of_target(target: Path) -> Finding:
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=".findme-watch-", dir=target):
            pass
    except OSError as error:
        return Finding(Mark.BAD, f"Sent photos cannot be moved to {target}: {error.strerror}.")
    for finding in _of_disk(target):
        return finding
    return Finding(Mark.GOOD, f"Sent photos are moved to {target}.")


async def _of_server(access: Access, settings: Settings) -> AsyncIterator[Finding]:
    async with new_client(access, parallel=1) as client:
        began = time.monotonic()
        try:
            answer = await client.get("/livez")
        except (httpx.TransportError, httpx.InvalidURL, UnicodeError) as error:
            yield Finding(Mark.BAD, f"{access.url} cannot be reached: {why_not_reached(error)}.")
            return
        took = (time.monotonic() - began) * 1000
        if not answer.is_success:
            yield Finding(Mark.BAD, f"{access.url} answers {answer.status_code}. Is it FindMe's?")
            return
        yield Finding(Mark.GOOD, f"{access.url} answers within {took:.0f} ms.")
        if finding := _of_clock(answer.headers.get("Date")):
            yield finding
        if access.key is None and (access.user is None or access.password is None):
            yield Finding(Mark.BAD, "Give an upload key (--key, FINDME_KEY), or a login.")
            return
        async for finding in _of_rights(Server(access, client), settings):
            yield finding


def _of_clock(date: str | None) -> Finding | None:
    try:
        theirs = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return None
    ahead = time.time() - theirs
    if abs(ahead) < _CLOCK_TOLERANCE_SECONDS:
        return None
    which = "ahead of" if ahead > 0 else "behind"
    return Finding(
        Mark.NOTE, f"This machine's clock is {abs(ahead):.0f} s {which} the server's. Set it."
    )


async def _of_rights(server: Server, settings: Settings) -> AsyncIterator[Finding]:
    try:
        events = await server.events()
    except (NotNow, Stumbled, Shut, Refused) as error:
        yield Finding(Mark.BAD, f"We are not let in: {error}")
        return
    names = ", ".join(f"{event.id} ({event.name})" for event in events) or "none"
    yield Finding(Mark.GOOD, f"We are let in; open events: {names}.")
    event_id = settings.event_id
    if event_id is None and len(events) == 1:
        event_id = events[0].id
    if settings.agent_label is not None:
        asked = await server.watchers(settings.agent_label)
        listening = sum(one.listening for one in asked)
        yield Finding(
            Mark.GOOD if listening else Mark.BAD,
            f"The server names {len(asked)} folders for the machine {settings.agent_label},"
            f" {listening} of them to be watched.",
        )
        return
    if event_id is None:
        yield Finding(Mark.BAD, "It is not clear which event the photos are for: --event ID.")
        return
    try:
        await server.existing(event_id, [_NOTHING])
    except (NotNow, Stumbled, Shut, Refused) as error:
        yield Finding(Mark.BAD, f"Event {event_id}: {error}")
    else:
        yield Finding(Mark.GOOD, f"Event {event_id} takes photos from us.")

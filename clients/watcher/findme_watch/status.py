"""`findme-watch status`: what was sent, what was not and why, of all folders. Asks no server."""

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from findme_watch.known import UNREADABLE, Known, State
from findme_watch.manifest import Manifest, Run
from findme_watch.settings import Settings, WrongSettings
from findme_watch.telling import shown

#: A watch says that it is there every half a minute.
_ALIVE_SECONDS: Final = 120.0
#: At a terminal; `--json` has them all.
_MAX_LISTED: Final = 50


def show(settings: Settings) -> int:
    """Print it; return 1 when photos were refused, or something cannot be read.

    Raises WrongSettings where nothing is known.
    """
    if not settings.state.exists():
        msg = f"Nothing was sent yet from this machine ({settings.state} is not there)."
        raise WrongSettings(msg)
    with Manifest.open(settings.state) as manifest:
        runs = [
            run
            for run in manifest.runs()
            if settings.folder is None or run.folder == settings.folder
        ]
        known = [_still_true(run, manifest) for run in runs]
    if not runs:
        of = "" if settings.folder is None else f" of {settings.folder}"
        raise WrongSettings(f"Nothing{of} was sent yet from this machine.")
    console = Console()
    is_good = True
    for run, files in zip(runs, known, strict=True):
        counts = Counter(_count_as(one) for one in files.values())
        unsent = {
            path: one for path, one in files.items() if one.state in (State.REFUSED, State.LISTED)
        }
        is_good = is_good and not counts["refused"] and not counts["unreadable"]
        if settings.as_json:
            sys.stdout.write(_json(run, counts, unsent) + "\n")
        else:
            _print(console, run, counts, unsent)
    return int(not is_good)


def is_alive(run: Run) -> bool:
    """Whether the folder is being watched, by when that was last said."""
    return run.pid != 0 and time.time() - run.seen_at < _ALIVE_SECONDS


def _still_true(run: Run, manifest: Manifest) -> dict[Path, Known]:
    """Return what is known of the folder's files: nothing of those that were not sent and are gone.

    Of a folder that is not there (a card that is out) all is as it was.
    """
    known = manifest.destination(run.url, run.event_id).known(run.folder)
    if not run.folder.is_dir():
        return known
    return {
        path: one for path, one in known.items() if one.state is State.SENT or os.path.lexists(path)
    }


def _count_as(known: Known) -> str:
    return "unreadable" if known.look == UNREADABLE else known.state.value


def _json(run: Run, counts: Counter[str], unsent: dict[Path, Known]) -> str:
    return json.dumps(
        {
            "folder": shown(run.folder),
            "url": run.url,
            "event_id": run.event_id,
            "watched": is_alive(run),
            "seen_at": run.seen_at,
            "problem": run.problem,
            "sent": counts["sent"],
            "refused": counts["refused"],
            "listed": counts["listed"],
            "unreadable": counts["unreadable"],
            "under_way": counts["read"],
            "not_sent": [
                {"path": shown(path), "reason": one.reason} for path, one in unsent.items()
            ],
        }
    )


def _print(console: Console, run: Run, counts: Counter[str], unsent: dict[Path, Known]) -> None:
    state = "watched now" if is_alive(run) else f"last seen {time.ctime(run.seen_at)}"
    console.print(
        f"[bold]{escape(shown(run.folder))}[/] to event {run.event_id} at {escape(run.url)},"
        f" {state}",
        highlight=False,
    )
    if run.problem:
        console.print(f"  [red]{escape(run.problem)}[/]", highlight=False)
    console.print(
        f"  {counts['sent']} sent, {counts['read']} under way, {counts['refused']} refused,"
        f" {counts['unreadable']} unreadable, {counts['listed']} not sent by their kind",
        highlight=False,
    )
    if not unsent:
        return
    table = Table(box=None, padding=(0, 2))
    for path, one in sorted(unsent.items())[:_MAX_LISTED]:
        table.add_row(escape(shown(path)), escape(one.reason or ""))
    console.print(table)
    if len(unsent) > _MAX_LISTED:
        console.print(f"  and {len(unsent) - _MAX_LISTED} more (all of them: --json)")

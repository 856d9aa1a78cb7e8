"""`findme-watch status`: what was sent, what was not and why, of all folders. Asks no server."""

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from findme_watch.known import Known, State
from findme_watch.manifest import Manifest, Run
from findme_watch.settings import Settings, WrongSettings
from findme_watch.telling import shown

#: A watch says that it is there every half a minute.
_ALIVE_SECONDS: Final = 120.0
#: At a terminal; `--json` has them all.
_MAX_LISTED: Final = 50


def show(settings: Settings) -> int:
    """Print it; return 1 when photos were refused. Raises WrongSettings where nothing is known."""
    if not settings.state.exists():
        msg = f"Nothing was sent yet from this machine ({settings.state} is not there)."
        raise WrongSettings(msg)
    with Manifest.open(settings.state) as manifest:
        runs = [
            run
            for run in manifest.runs()
            if settings.folder is None or run.folder == settings.folder
        ]
        known = [manifest.destination(run.url, run.event_id).known(run.folder) for run in runs]
    console = Console()
    has_refused = False
    for run, files in zip(runs, known, strict=True):
        counts = Counter(one.state for one in files.values())
        unsent = {
            path: one for path, one in files.items() if one.state in (State.REFUSED, State.LISTED)
        }
        has_refused = has_refused or counts[State.REFUSED] > 0
        if settings.as_json:
            sys.stdout.write(_json(run, counts, unsent) + "\n")
        else:
            _print(console, run, counts, unsent)
    return int(has_refused)


def is_alive(run: Run) -> bool:
    """Whether the folder is being watched, by when that was last said."""
    return run.pid != 0 and time.time() - run.seen_at < _ALIVE_SECONDS


def _json(run: Run, counts: Counter[State], unsent: dict[Path, Known]) -> str:
    return json.dumps(
        {
            "folder": shown(run.folder),
            "url": run.url,
            "event_id": run.event_id,
            "watched": is_alive(run),
            "seen_at": run.seen_at,
            "problem": run.problem,
            "sent": counts[State.SENT],
            "refused": counts[State.REFUSED],
            "listed": counts[State.LISTED],
            "under_way": counts[State.READ],
            "not_sent": [
                {"path": shown(path), "reason": one.reason} for path, one in unsent.items()
            ],
        }
    )


def _print(console: Console, run: Run, counts: Counter[State], unsent: dict[Path, Known]) -> None:
    state = "watched now" if is_alive(run) else f"last seen {time.ctime(run.seen_at)}"
    console.print(
        f"[bold]{escape(shown(run.folder))}[/] to event {run.event_id} at {escape(run.url)},"
        f" {state}",
        highlight=False,
    )
    if run.problem:
        console.print(f"  [red]{escape(run.problem)}[/]", highlight=False)
    console.print(
        f"  {counts[State.SENT]} sent, {counts[State.READ]} under way,"
        f" {counts[State.REFUSED]} refused, {counts[State.LISTED]} not sent by their kind",
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

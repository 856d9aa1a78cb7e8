"""`findme backup` and `findme restore`."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from backup.files import NAMED
from backup.make_backup import back_up, back_up_erasures
from backup.manifest import Manifest
from backup.place import place_of
from backup.restore_backup import erase_again, restore_backup
from backup.verify_backup import verify_backup
from cli.options import DataDir, settings_with
from libs.common.errors import FindMeError
from standalone.data_dir import note_backup

console = Console()

Folder = Annotated[Path, typer.Argument(metavar="DIR", file_okay=False, help="The backup.")]


class ObjectsMissing(FindMeError):
    """Rows name objects that are nowhere."""

    def __init__(self, begin: str, keys: list[str]) -> None:
        more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
        super().__init__(f"{begin} {', '.join(keys[:NAMED])}{more}.")


def backup(
    folder: Folder,
    data_dir: DataDir = None,
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only check the backup that is there, whole.")
    ] = False,
    erasures_only: Annotated[
        bool, typer.Option("--erasures-only", help="Only note what was deleted; takes no time.")
    ] = False,
) -> None:
    """Back up database and objects into a folder; FindMe may run meanwhile.

    A folder that has a backup gets what is new, and loses what was deleted. An interrupted
    one is resumed by the same command.
    """
    settings = settings_with(data_dir)
    if verify:
        with _bars(console) as steps:
            manifest = asyncio.run(verify_backup(folder, steps))
        console.print(f"The backup is whole: {_told(manifest)}.", highlight=False)
        return
    with place_of(settings, owner=False) as place:
        if erasures_only:
            count = asyncio.run(back_up_erasures(folder, place))
            console.print(f"{count} deletions are noted in {folder}.", highlight=False)
            return
        with _bars(console) as steps:
            manifest = asyncio.run(back_up(folder, place, steps))
        if place.secret_file is not None:
            note_backup(settings.data_dir, folder)
    console.print(f"Backed up: {_told(manifest)}.", highlight=False)
    if manifest.missing:
        begin = f"The store has lost {len(manifest.missing)} objects, all else is backed up:"
        raise ObjectsMissing(begin, manifest.missing)


def restore(
    folder: Folder,
    data_dir: DataDir = None,
    *,
    erasures_only: Annotated[
        bool,
        typer.Option(
            "--erasures-only",
            help="Only delete again what was deleted, from a database that came back otherwise.",
        ),
    ] = False,
) -> None:
    """Restore a backup into an empty database and an empty store (or an empty data folder).

    What was deleted after the backup, and noted in its folder, stays deleted.
    """
    if erasures_only:
        with place_of(settings_with(data_dir), owner=False) as place:
            erased = asyncio.run(erase_again(folder, place))
        console.print(f"{erased} rows were deleted again.", highlight=False)
        return
    with place_of(settings_with(data_dir), owner=True) as place:
        with _bars(console) as steps:
            restored = asyncio.run(restore_backup(folder, place, steps))
        console.print(
            f"Restored: {_told(restored.manifest)}; {restored.erased} deleted since then and left"
            f" out. All {restored.objects} objects are there."
            if not restored.missing
            else f"Restored: {_told(restored.manifest)}.",
            highlight=False,
        )
    if restored.missing:
        begin = f"{len(restored.missing)} objects are missing:"
        raise ObjectsMissing(begin, restored.missing)


def _told(manifest: Manifest) -> str:
    rows = manifest.rows
    return (
        f"{rows['users']} accounts, {rows['events']} events, {rows['photos']} photos,"
        f" {rows['selfies']} selfies, {manifest.object_bytes / 1e6:,.1f} MB of"
        f" {manifest.created_at}"
    )


class _Bars:
    """`Steps` on a terminal: a bar for each."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def begin(self, what: str, total_bytes: int | None = None) -> None:
        self.end()
        self._task = self._progress.add_task(what, total=total_bytes)

    def advance(self, size: int) -> None:
        if self._task is not None:
            self._progress.advance(self._task, size)

    def end(self) -> None:
        """The last step is done."""
        for task in self._progress.tasks:
            if task.id == self._task:
                size = task.total or max(task.completed, 1)
                self._progress.update(task.id, total=size, completed=size)


@contextmanager
def _bars(console: Console) -> Iterator[_Bars]:
    """Show bars for the length of the block."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        steps = _Bars(progress)
        yield steps
        steps.end()

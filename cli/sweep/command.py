"""`findme sweep`: the object store and the database, compared both ways."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from backup.place import place_of
from cli.options import DataDir, settings_with
from cli.sweep import repository
from cli.sweep.rules import LOST_FILES, Findings, Kind
from cli.sweep.sweep import Sweep
from libs.common.errors import FindMeError, InvalidInput
from libs.common.messaging.messages import MAX_ID
from standalone.operators import operator_database
from standalone.settings import StandaloneSettings

REPAIRS = {
    Kind.PHOTO_WITHOUT_ROW: "deleted",
    Kind.SELFIE_WITHOUT_ROW: "deleted",
    Kind.RENDITION_WITHOUT_PHOTO: "deleted",
    Kind.PART_WITHOUT_UPLOAD: "deleted",
    Kind.OUTDATED_COPY: "deleted",
    Kind.UNKNOWN: "left alone",
    Kind.PHOTO_WITHOUT_OBJECT: "marked failed: upload them again",
    Kind.FAILED_WITHOUT_OBJECT: "nothing: upload them again",
    Kind.SELFIE_WITHOUT_OBJECT: "nothing: the guests send others",
    Kind.UNFINISHED: "discarded",
    Kind.OTHER_SIZE: "nothing: take them from a backup",
    Kind.FOUND_AGAIN: "analysed again",
}

#: A century: nothing is older, and the calendar goes no further back than two thousand years.
MAX_HOURS = 876_000

console = Console()


class FilesLost(FindMeError):
    """Rows name objects that are nowhere, or not whole."""

    def __init__(self, count: int, keys: list[str]) -> None:
        more = f" and {count - len(keys)} more" if count > len(keys) else ""
        super().__init__(f"{count} files are lost or damaged: {', '.join(keys)}{more}.")


class NotTogether(FindMeError):
    """So much differs that it is more likely a wrong setting."""

    def __init__(self) -> None:
        super().__init__(
            "More than a tenth differs, or nothing belongs together: are this database and this"
            " store of one deployment, and of one moment? Nothing was changed; --force repairs all"
            " the same."
        )


def sweep(
    data_dir: DataDir = None,
    event: Annotated[
        int | None, typer.Option(min=1, max=MAX_ID, help="Only this event's, by its id.")
    ] = None,
    older_than: Annotated[
        float,
        typer.Option(
            min=1,
            max=MAX_HOURS,
            metavar="HOURS",
            help="Leave alone what is younger: uploads in hand.",
        ),
    ] = 24,
    *,
    repair: Annotated[bool, typer.Option("--repair", help="Put right what is found.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --repair, however much differs.")
    ] = False,
) -> None:
    """Compare the object store with the database; FindMe may run meanwhile.

    Finds objects that no row names, rows whose object is missing, renditions of photos that are
    gone, and uploads that never ended or are gone. Changes nothing without --repair; an interrupted
    repair is gone on with by the same command.
    """
    if force and not repair:
        raise typer.BadParameter("--force goes together with --repair")
    settings = settings_with(data_dir)
    found, repaired = asyncio.run(
        _sweep(settings, event, timedelta(hours=older_than), repair=repair, force=force)
    )
    console.print(_table(found, repaired))
    if found.young.count:
        console.print(
            f"{found.young.count} objects younger than {older_than:g} h"
            f" ({decimal(found.young.size_bytes)}) are nobody's yet, and were left alone.",
            highlight=False,
        )
    if repaired is None and any(found.by_kind[kind].count for kind in Kind):
        console.print("Nothing was changed: --repair does what the last column says.")
    lost = sum(found.by_kind[kind].count for kind in LOST_FILES)
    if repaired is not None and not force and found.is_suspicious:
        raise NotTogether
    if lost:
        raise FilesLost(lost, found.lost_keys)


async def _sweep(
    settings: StandaloneSettings,
    event_id: int | None,
    older_than: timedelta,
    *,
    repair: bool,
    force: bool,
) -> tuple[Findings, Findings | None]:
    """Return what was found, and what was put right of it; None where nothing was to be."""
    with place_of(settings, owner=False) as place:
        opened = settings.model_copy(update={"database_url": place.database_url})
        # A folder that is opened for writing loses its old parts at once.
        seen = replace(place, only_reads_objects=True)
        async with operator_database(opened) as database, seen.store() as store:
            if event_id is not None and not await repository.is_event(database, event_id):
                msg = f"There is no event {event_id}. Objects of events that are gone: no --event."
                raise InvalidInput(msg)
            with _bar("Comparing") as progress:
                work = Sweep(database, store, progress, event_id=event_id, older_than=older_than)
                found = await work.run(repair=False)
            if not repair:
                return found, None
            if found.is_suspicious and not force:
                return found, Findings()
            with _bar("Repairing") as progress:
                work = Sweep(database, store, progress, event_id=event_id, older_than=older_than)
                return found, await work.run(repair=True)


def _table(found: Findings, repaired: Findings | None) -> Table:
    table = Table("what")
    for name in ("how many", "bytes") + (("repaired",) if repaired else ()):
        table.add_column(name, justify="right")
    table.add_column("with --repair")
    for kind in Kind:
        tally = found.by_kind[kind]
        table.add_row(
            kind.value,
            f"{tally.count:,}",
            decimal(tally.size_bytes),
            *([f"{repaired.by_kind[kind].count:,}"] if repaired else []),
            REPAIRS[kind],
        )
    return table


class _Bar:
    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=None)

    def advance(self, count: int) -> None:
        self._progress.advance(self._task, count)


@contextmanager
def _bar(what: str) -> Iterator[_Bar]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.completed:,}"),
        TimeElapsedColumn(),
    )
    # On standard error: what is found may go into a file.
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield _Bar(progress, what)

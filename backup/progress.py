"""How far a backup or a restore is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

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


class Steps(Protocol):
    """Told of steps, one after the other."""

    def begin(self, what: str, total_bytes: int | None = None) -> None:
        """The step before is done, this one begins."""

    def advance(self, size: int) -> None:
        """So many bytes more of the step are done."""


class Bars:
    """A bar on a terminal for every step."""

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
def bars(console: Console) -> Iterator[Bars]:
    """Show bars for the length of the block."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        steps = Bars(progress)
        yield steps
        steps.end()

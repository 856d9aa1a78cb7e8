"""What happens, told as it happens: to a person at a terminal, into a log, or to a program."""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final, Protocol, TextIO

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

#: The speed shown is that of the last seconds.
_SPEED_SECONDS: Final = 10.0
_REFRESHES_PER_SECOND: Final = 4


class What(Enum):
    """What can be told of a file or of the program."""

    SENT = "sent"
    #: The event had it.
    DUPLICATE = "duplicate"
    #: A dry run would send it.
    WOULD_SEND = "would-send"
    REFUSED = "refused"
    #: It is not sent, by its kind or because it cannot be read.
    LISTED = "listed"
    MOVED = "moved"
    #: Said of each file at the end, when the others are all sent.
    NOT_SENT = "not-sent"
    #: The server or the network is away; nothing is lost.
    PAUSED = "paused"
    NOTICE = "notice"
    PROBLEM = "problem"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell."""

    what: What
    path: Path | None = None
    reason: str | None = None
    photo_id: int | None = None
    more: Mapping[str, object] = field(default_factory=dict)


class Teller(Protocol):
    """Whom everything is told."""

    def tell(self, event: Event) -> None:
        """Say what happened."""

    def left(self, folder: Path, count: int) -> None:
        """Say how many files are still to be sent."""

    def sent_bytes(self, count: int) -> None:
        """Say that so many bytes went out."""


@dataclass(slots=True)
class Counts:
    """How many files came to which end, and how many are left."""

    by_what: dict[What, int] = field(default_factory=dict)
    left: dict[Path, int] = field(default_factory=dict)

    def add(self, what: What) -> None:
        """Count one more."""
        self.by_what[what] = self.by_what.get(what, 0) + 1

    def of(self, *whats: What) -> int:
        """Return how many came to one of these ends."""
        return sum(self.by_what.get(what, 0) for what in whats)


class Lines:
    """A line for each event: JSON objects, or plain words for a log."""

    def __init__(self, output: TextIO, *, as_json: bool) -> None:
        self._output = output
        self._as_json = as_json

    def tell(self, event: Event) -> None:
        """Write the line at once: whoever reads a pipe waits for it."""
        text = _json_line(event) if self._as_json else _plain_line(event)
        self._output.write(text + "\n")
        self._output.flush()

    def left(self, folder: Path, count: int) -> None:
        """A log is of what happened."""

    def sent_bytes(self, count: int) -> None:
        """A log is of what happened."""


class Screen:
    """A line of progress at a terminal, and what went wrong above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._counts = Counts()
        self._bytes: list[tuple[float, int]] = []
        self._state = ""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show progress for the length of the block."""
        with Live(
            get_renderable=self._progress,
            console=self._console,
            refresh_per_second=_REFRESHES_PER_SECOND,
        ):
            yield

    def tell(self, event: Event) -> None:
        """Count it; say it in words where somebody may have to do something."""
        self._counts.add(event.what)
        if event.what is What.PAUSED:
            self._state = event.reason or ""
        elif event.what in (What.SENT, What.DUPLICATE):
            self._state = ""
        if event.what not in (What.SENT, What.DUPLICATE, What.MOVED, What.PAUSED):
            colour = "red" if event.what in (What.REFUSED, What.PROBLEM) else "yellow"
            self._console.print(f"[{colour}]{escape(_plain_line(event))}[/]", highlight=False)

    def left(self, folder: Path, count: int) -> None:
        """Show how many are left, over all folders."""
        self._counts.left[folder] = count

    def sent_bytes(self, count: int) -> None:
        """Count them for the speed."""
        self._bytes.append((time.monotonic(), count))

    def _progress(self) -> Table:
        now = time.monotonic()
        self._bytes = [(at, count) for at, count in self._bytes if at > now - _SPEED_SECONDS]
        speed = sum(count for _, count in self._bytes) / _SPEED_SECONDS / 1e6
        table = Table.grid(padding=(0, 2))
        table.add_row(
            f"[green]{self._counts.of(What.SENT)} sent[/]",
            f"{self._counts.of(What.DUPLICATE)} there before",
            f"{sum(self._counts.left.values())} left",
            f"{speed:.1f} MB/s",
            f"[red]{self._counts.of(What.REFUSED)} refused[/]",
            f"[yellow]{escape(self._state)}[/]",
        )
        return table


@contextmanager
def teller(*, as_json: bool) -> Iterator[Teller]:
    """Return who tells: lines, unless somebody is at a terminal."""
    if as_json or not sys.stdout.isatty():
        yield Lines(sys.stdout, as_json=as_json)
        return
    screen = Screen(Console())
    with screen.shown():
        yield screen


def shown(path: Path) -> str:
    """Return a path as text, whatever bytes its name has."""
    return os.fsencode(path).decode("utf-8", "replace")


def _json_line(event: Event) -> str:
    line: dict[str, object] = {"event": event.what.value, "at": round(time.time(), 3)}
    if event.path is not None:
        line["path"] = shown(event.path)
    if event.reason is not None:
        line["reason"] = event.reason
    if event.photo_id is not None:
        line["photo_id"] = event.photo_id
    return json.dumps(line | dict(event.more))


def _plain_line(event: Event) -> str:
    parts = [event.what.value]
    if event.path is not None:
        parts.append(shown(event.path))
    if event.reason is not None:
        parts.append(f"- {event.reason}")
    if event.more:
        parts.append(", ".join(f"{key}: {value}" for key, value in event.more.items()))
    return _in_one_line(" ".join(parts))


def _in_one_line(text: str) -> str:
    """Names may hold line breaks, and what terminals obey."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )

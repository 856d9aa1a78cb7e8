"""Move files that were sent out of the watched folder, over none that is there."""

import itertools
import os
import shutil
from contextlib import suppress
from pathlib import Path


class NowhereToMove(ValueError):
    """What was moved would be found again; the message says what to name instead."""


def target_of(folder: Path, to: str) -> Path:
    """Return where the folder's sent photos go, by a path that may begin there.

    Raises NowhereToMove for the folder itself: each photo would be found, and moved, once more.
    """
    target = folder / Path(to).expanduser()
    is_same = os.path.realpath(target) == os.path.realpath(folder)
    with suppress(OSError):
        is_same = is_same or target.samefile(folder)
    if is_same:
        msg = f"Sent photos cannot be moved to the watched folder itself ({to}): name one in it."
        raise NowhereToMove(msg)
    return target


def move(path: Path, folder: Path, to: Path) -> Path:
    """Move a file to the same place below `to`; return where it is. Raises OSError.

    Another file there keeps its name, and this one gets a number.
    """
    wanted = to / path.relative_to(folder)
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for name in _names(wanted.name):
        target = wanted.with_name(name)
        try:
            # Ours from now on: two programs that move to one folder do not meet.
            target.touch(exist_ok=False)
        except FileExistsError:
            continue
        try:
            _replace(path, target)
        except OSError:
            target.unlink(missing_ok=True)
            raise
        return target
    raise AssertionError


def _names(name: str) -> "itertools.chain[str]":
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - of a name, not of a path
    return itertools.chain([name], (f"{stem} ({number}){suffix}" for number in itertools.count(2)))


def _replace(path: Path, target: Path) -> None:
    try:
        path.replace(target)
    except OSError:
        # Another disk: copied whole under a name of its own first, so that half of it is no photo.
        part = target.with_name(f".{target.name}.part")
        try:
            shutil.copy2(path, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        path.unlink()

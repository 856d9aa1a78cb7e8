"""What is in a watched folder: photos, and what is not sent, with its reason."""

import fnmatch
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Final

from findme_watch.kinds import Kind, NotSent, kind_of, reason_not_sent, stem_of
from findme_watch.known import Look

#: What systems and programs leave in folders, and what is still being written under such a name.
IGNORED: Final = (
    ".*", "~$*", "Thumbs.db", "desktop.ini", "*.tmp", "*.temp", "*.part", "*.partial",
    "*.crdownload", "*.filepart", "$RECYCLE.BIN", "System Volume Information", "@eaDir",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class What:
    """Which files of a folder are meant."""

    subfolders: bool = True
    #: Patterns of names, or of paths below the folder where they have a slash; case is ignored.
    ignore: tuple[str, ...] = ()
    #: Folders that are none of it, by whatever path.
    left_out: tuple[Path, ...] = ()
    #: Whether photos are moved away once they were sent.
    are_moved: bool = False


@dataclass(slots=True)
class Contents:
    """The folder at one moment."""

    photos: dict[Path, Look] = field(default_factory=dict)
    #: Files that are not sent.
    others: dict[Path, tuple[Look, NotSent]] = field(default_factory=dict)
    #: Folders and files that cannot be looked at, and why.
    unreadable: dict[Path, str] = field(default_factory=dict)
    ignored: int = 0


def look_at(path: Path) -> Look:
    """Return the file as it is now. Raises OSError."""
    found = path.stat()
    return Look(found.st_size, found.st_mtime_ns)


def read_folder(folder: Path, what: What) -> Contents:
    """Look at all files. Raises OSError when the folder itself cannot be read."""
    contents = Contents()
    ignored = _ignoring(folder, what)
    folders = [folder]
    while folders:
        current = folders.pop()
        try:
            with os.scandir(current) as entries:
                found = list(entries)
        except OSError as error:
            if current == folder:
                raise
            contents.unreadable[current] = _why(error)
            continue
        kept = [entry for entry in found if not ignored(entry)]
        contents.ignored += len(found) - len(kept)
        looks = dict(_looks(kept, contents, folders if what.subfolders else None))
        _sort(looks, contents, are_moved=what.are_moved)
    return contents


def _looks(
    entries: Sequence["os.DirEntry[str]"], contents: Contents, folders: list[Path] | None
) -> Iterator[tuple[Path, Look]]:
    """Yield the files; folders are added to those that are still to be read."""
    for entry in entries:
        path = Path(entry.path)
        try:
            if entry.is_dir(follow_symlinks=False):
                if folders is not None:
                    folders.append(path)
                continue
            if entry.is_dir():
                contents.unreadable[path] = "A link to a folder is not followed."
                continue
            # On Windows an entry's own times are old while somebody writes.
            found = path.stat() if os.name == "nt" else entry.stat()
        except OSError as error:
            contents.unreadable[path] = _why(error)
            continue
        if S_ISREG(found.st_mode):
            yield path, Look(found.st_size, found.st_mtime_ns)


def _sort(looks: dict[Path, Look], contents: Contents, *, are_moved: bool) -> None:
    beside: defaultdict[str, list[str]] = defaultdict(list)
    for path in looks:
        if kind_of(path.name) is Kind.PHOTO:
            beside[stem_of(path.name)].append(path.name)
    for path, look in looks.items():
        pictures = beside[stem_of(path.name)]
        if not_sent := reason_not_sent(path.name, pictures, are_moved=are_moved):
            contents.others[path] = (look, not_sent)
        else:
            contents.photos[path] = look


def _ignoring(folder: Path, what: What) -> Callable[["os.DirEntry[str]"], bool]:
    patterns = (*IGNORED, *what.ignore)
    left_out = [found for path in what.left_out if (found := _stat(path)) is not None]
    has_paths = any("/" in pattern for pattern in patterns)
    names, paths = _compiled(patterns)

    def is_ignored(entry: "os.DirEntry[str]") -> bool:
        if names.match(entry.name) or (left_out and _is_one_of(left_out, entry)):
            return True
        if not has_paths:
            return False
        return paths.match(Path(entry.path).relative_to(folder).as_posix()) is not None

    return is_ignored


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _is_one_of(folders: Sequence[os.stat_result], entry: "os.DirEntry[str]") -> bool:
    """Whether an entry is one of these folders: links, `..` and case give one many paths."""
    try:
        if not entry.is_dir(follow_symlinks=False):
            return False
    except OSError:
        return False
    # On Windows an entry's own numbers are zero.
    found = _stat(Path(entry.path))
    return found is not None and any(os.path.samestat(found, one) for one in folders)


def _compiled(patterns: Sequence[str]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Make one expression for names, and one for paths below the folder."""

    def joined(chosen: Iterable[str]) -> re.Pattern[str]:
        return re.compile("|".join(map(fnmatch.translate, chosen)) or r"\Z\b", re.IGNORECASE)

    return (
        joined(pattern for pattern in patterns if "/" not in pattern),
        joined(pattern.strip("/") for pattern in patterns if "/" in pattern),
    )


def is_ignored(relative: str, patterns: Sequence[str]) -> bool:
    """Whether a path below the folder fits a pattern: by its name, or whole where it has a `/`."""
    names, paths = _compiled(patterns)
    return bool(names.match(relative.rpartition("/")[2]) or paths.match(relative))


def _why(error: OSError) -> str:
    return f"It cannot be read: {error.strerror or error}."

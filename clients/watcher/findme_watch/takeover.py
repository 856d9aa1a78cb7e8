"""What an earlier watcher had sent, by its `.uploaded_manifest.json` in the watched folder.

Version 1 is a list of names, or an object whose keys are names, relative to the folder or absolute.
Version 2 is an object with `version` and, under `files`, names with what was known of each (size in
bytes, mtime in seconds, sha256), as an object or as a list of objects with a `path` or `name`.
Wherever a size or a time is given, it has to fit; a name alone counts for a file that has not
changed since the manifest was written: cameras begin anew with IMG_0001. A hash is of the content
that was sent, whatever its name is now; a file whose time is not said as well is read to compare.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath, PureWindowsPath
from typing import Final

from findme_watch.known import Known, Look, State

NAME: Final = ".uploaded_manifest.json"
REASON: Final = "Sent by the earlier watcher."
#: FAT has times of two seconds; JSON's may have been rounded.
_MTIME_TOLERANCE_SECONDS: Final = 2.0
_LISTS: Final = ("files", "uploaded", "entries", "photos")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that was sent, and what is said of it; None for what is not."""

    name: str
    size: int | None = None
    mtime: float | None = None
    sha256: str | None = None


class UnreadableManifest(Exception):
    """It is none that we know; nothing is taken over, and the server is asked about each file."""


def parse(text: str) -> list[Entry]:
    """Return what a manifest of either version names. Raises UnreadableManifest."""
    try:
        found: object = json.loads(text)
    except ValueError as error:
        raise UnreadableManifest(f"it is no JSON: {error}") from error
    if isinstance(found, Mapping):
        inner = next(
            (found[key] for key in _LISTS if isinstance(found.get(key), list | dict)), None
        )
        if inner is not None:
            found = inner
        elif "version" in found:
            raise UnreadableManifest("it has a version, and no files")
    if isinstance(found, list):
        return [entry for item in found for entry in _of_item(item)]
    if isinstance(found, Mapping):
        return [_entry(str(name), said) for name, said in found.items()]
    raise UnreadableManifest("it is neither a list nor an object")


def _of_item(item: object) -> Iterator[Entry]:
    if isinstance(item, str):
        yield Entry(item)
    elif isinstance(item, Mapping):
        name = next((item[k] for k in ("path", "name", "file", "filename") if k in item), None)
        if isinstance(name, str):
            yield _entry(name, item)


def _entry(name: str, said: object) -> Entry:
    if not isinstance(said, Mapping):
        if isinstance(said, str) and _SHA256.fullmatch(said.lower()):
            return Entry(name, sha256=said.lower())
        return Entry(name)
    size, mtime = said.get("size"), said.get("mtime")
    sha256 = next((said[k] for k in ("sha256", "hash", "digest") if k in said), None)
    is_ours = isinstance(sha256, str) and _SHA256.fullmatch(sha256.lower())
    return Entry(
        name,
        size=size if isinstance(size, int) else None,
        mtime=float(mtime) if isinstance(mtime, int | float) else None,
        sha256=str(sha256).lower() if is_ours else None,
    )


def contents_sent(entries: list[Entry]) -> set[str]:
    """Return the SHA-256 of all that the manifest says was sent."""
    return {entry.sha256 for entry in entries if entry.sha256 is not None}


def taken_over(
    entries: list[Entry], folder: Path, files: Mapping[Path, Look], *, written_at: float
) -> list[tuple[Path, Known]]:
    """Return those of the folder's files that the manifest, written at that time, says were sent.

    A path that is absolute may be of another machine or drive: it counts by its name.
    """
    by_name: dict[str, list[Path]] = {}
    for path in files:
        by_name.setdefault(path.name, []).append(path)
    found: dict[Path, Known] = {}
    for entry in entries:
        for path in _candidates(entry.name, folder, files, by_name):
            look = files[path]
            if _fits(entry, look, written_at):
                found[path] = Known(look, State.SENT, entry.sha256, REASON)
    return list(found.items())


def _candidates(
    name: str, folder: Path, files: Mapping[Path, Look], by_name: Mapping[str, list[Path]]
) -> list[Path]:
    parts = PureWindowsPath(name) if "\\" in name else PurePath(name)
    is_absolute = parts.is_absolute() or PureWindowsPath(name).is_absolute()
    inside = Path(name) if is_absolute else folder.joinpath(*parts.parts)
    if inside in files:
        return [inside]
    # A bare or foreign name is of one file, or says nothing.
    same = by_name.get(parts.name, []) if is_absolute else []
    return same if len(same) == 1 else []


def _fits(entry: Entry, look: Look, written_at: float) -> bool:
    mtime = look.mtime_ns / 1e9
    if entry.size is not None and entry.size != look.size:
        return False
    if entry.mtime is not None:
        return abs(entry.mtime - mtime) <= _MTIME_TOLERANCE_SECONDS
    if entry.sha256 is not None:
        return False
    return mtime <= written_at + _MTIME_TOLERANCE_SECONDS

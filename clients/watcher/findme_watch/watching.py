"""When to look at a folder again: at an event of the system, or after a while.

Events say when, never what: all files are looked at each time, which takes 0.1 s for 10,000. So an
event that is lost costs seconds, and no photo.
"""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from enum import Enum
from pathlib import Path
from typing import Final

from watchfiles import awatch

#: Where events come, in case one was lost.
LOOK_SECONDS: Final = 30.0
#: A look takes at most this share of the time, whatever the number of files.
LOOK_SHARE: Final = 0.01
#: Events are gathered for so long: whoever copies a card makes thousands.
_GATHER_MS: Final = 1000
#: An event that was to come comes within this.
_LATE_SECONDS: Final = 5.0
#: File systems whose changes by other machines are no events here.
_REMOTE: Final = frozenset(
    {
        "9p", "afpfs", "afs", "ceph", "cifs", "davfs", "drvfs", "fuse.sshfs", "fuse.rclone",
        "fuse.s3fs", "fuse.davfs2", "ncpfs", "nfs", "nfs4", "prl_fs", "smb2", "smb3", "smbfs",
        "vboxsf", "virtiofs", "vmhgfs", "fuse.vmhgfs-fuse", "webdav",
    }
)  # fmt: skip
_DRIVE_REMOTE: Final = 4


class Polling(Enum):
    """Whether events are used; AUTO: where they come."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class UnreadableChange(Exception):
    """The system told of a change that `watchfiles` cannot tell: a name that is no text."""


async def changes(folder: Path) -> AsyncGenerator[None]:
    """Yield as the system tells that something below the folder has changed.

    Raises OSError where it tells nothing, and UnreadableChange.
    """
    watching = awatch(
        folder,
        watch_filter=None,
        debounce=_GATHER_MS,
        force_polling=False,
        ignore_permission_denied=True,
    )
    try:
        async with aclosing(watching):
            async for _ in watching:
                yield
    except RuntimeError as error:  # watchfiles' own error is one, and has no public name
        raise UnreadableChange(str(error)) from error
    except ExceptionGroup as group:
        # What goes wrong after the first change comes out of awatch's tasks.
        errors, other = group.split((OSError, RuntimeError))
        if errors is None or other is not None:
            raise
        failed = _first(errors)
        raise (failed if isinstance(failed, OSError) else UnreadableChange(str(failed))) from group


def _first(group: ExceptionGroup[Exception]) -> Exception:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, ExceptionGroup) else found


class Wakes:
    """Ends a folder's rest; `run` is to be a task for as long as it is used."""

    def __init__(self, folder: Path, *, polling: Polling, poll_seconds: float) -> None:
        self._folder = folder
        self._polling = polling
        self._poll_seconds = poll_seconds
        self._event = asyncio.Event()
        self._is_told = False
        self._suspected_at: float | None = None
        #: Why the folder is polled, None where events come.
        self.polled_because: str | None = None
        if polling is Polling.ALWAYS:
            self.polled_because = "it is set so"

    async def run(self) -> None:
        """Wait for events, until they turn out not to come."""
        if self._polling is Polling.AUTO:
            kind = await asyncio.to_thread(remote_kind, self._folder)
            if kind is not None:
                self.polled_because = f"it is on another machine ({kind})"
        while self.polled_because is None:
            try:
                async for _ in changes(self._folder):
                    self._suspected_at = None
                    self._is_told = True
                    self._event.set()
                    if self._is_polled():
                        return
            except FileNotFoundError:
                # Not there (yet); it is looked for as if polled.
                await asyncio.sleep(self._poll_seconds)
            except (OSError, UnreadableChange) as error:
                await self._without_events(error)

    async def _without_events(self, error: OSError | UnreadableChange) -> None:
        """Poll from now on; where that is not to be, raise OSError, and go on after the other."""
        # A change it was, or it is time for the first look that nothing but time asks for.
        self.wake()
        if self._polling is not Polling.NEVER:
            self.polled_because = f"the system's changes cannot be told ({error})"
        elif isinstance(error, OSError):
            raise error
        else:
            await asyncio.sleep(self._poll_seconds)

    def found_new(self, *, by_event: bool) -> None:
        """Say that a look found new files; without an event before it one should come yet."""
        if not by_event and self.polled_because is None and self._suspected_at is None:
            self._suspected_at = asyncio.get_running_loop().time()

    async def rest(self, *, at_most: float | None, look_seconds: float) -> bool:
        """Wait until it is time for another look, which took so long; True when an event says so.

        `at_most` is when something else is due, None when nothing is.
        """
        loop = asyncio.get_running_loop()
        shortest = look_seconds / LOOK_SHARE if self.polled_because is not None else 0.0
        longest = self._poll_seconds if self.polled_because is not None else LOOK_SECONDS
        if self._suspected_at is not None:
            if loop.time() - self._suspected_at > _LATE_SECONDS:
                if self._polling is Polling.AUTO:
                    self.polled_because = "changes came without an event of the system"
                self._suspected_at = None
            else:
                longest = min(longest, _LATE_SECONDS)
        if at_most is not None:
            longest = min(longest, at_most)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(longest, shortest)):
                await self._event.wait()
        is_told, self._is_told = self._is_told, False
        self._event.clear()
        if is_told:
            # While a card is copied events never end: looks are not all that is done meanwhile.
            await asyncio.sleep(min(look_seconds * 5, 5.0))
        return is_told

    def _is_polled(self) -> bool:
        return self.polled_because is not None

    def wake(self) -> None:
        """End the rest now."""
        self._event.set()


def remote_kind(folder: Path) -> str | None:
    """Return the kind of file system where it is another machine's, None for a disk of this one."""
    try:
        if sys.platform == "win32":
            import ctypes

            if folder.drive.startswith("\\\\"):
                return "network share"
            is_remote = ctypes.windll.kernel32.GetDriveTypeW(folder.anchor) == _DRIVE_REMOTE
            return "network drive" if is_remote else None
        if sys.platform == "linux":
            mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
            kind = linux_kind(folder.resolve(), mounts)
        else:
            listed = subprocess.run(["/sbin/mount"], capture_output=True, check=True, timeout=10)
            kind = mac_kind(folder.resolve(), os.fsdecode(listed.stdout))
    except (OSError, subprocess.SubprocessError):
        return None
    return kind if kind in _REMOTE else None


def linux_kind(folder: Path, mountinfo: str) -> str | None:
    """Return the kind of the file system that the folder lies on (proc(5), mountinfo)."""
    mounts = []
    for line in mountinfo.splitlines():
        mount, _, source = line.partition(" - ")
        place = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), mount.split(" ")[4])
        mounts.append((Path(place), source.split(" ")[0]))
    return _nearest(folder, mounts)


def mac_kind(folder: Path, listed: str) -> str | None:
    """Return the same from what `mount` prints: `//me@nas/share on /Volumes/share (smbfs, …)`."""
    found = re.finditer(r"^.* on (?P<place>/.*) \((?P<kind>\w+)[,)]", listed, re.MULTILINE)
    return _nearest(folder, [(Path(one["place"]), one["kind"]) for one in found])


def _nearest(folder: Path, mounts: list[tuple[Path, str]]) -> str | None:
    above = [(len(place.parts), at) for at, (place, _) in enumerate(mounts)
             if folder.is_relative_to(place)]  # fmt: skip
    # Of two on one place the later one is on top.
    return mounts[max(above)[1]][1] if above else None

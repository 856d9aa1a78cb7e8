"""What a camera sees of an event: the folders that it asks for, and the files that it has sent."""

import os
import stat
import time
from collections import OrderedDict
from dataclasses import dataclass
from posixpath import basename, dirname

from pyftpdlib.exceptions import FilesystemError
from pyftpdlib.filesystems import AbstractedFS

#: Of one connection, so many files are known by their names; the oldest are forgotten first.
KNOWN_FILES = 2000


@dataclass(slots=True)
class SentFile:
    """A file that this connection has sent; without an id the event had its bytes before."""

    size_bytes: int
    photo_id: int | None
    at: float


class EventFolder(AbstractedFS):  # type: ignore[misc]  # the library has no types
    """Any folder is there, as nothing is kept of it; of files those that were sent here."""

    def __init__(self, root: str, cmd_channel: object) -> None:
        super().__init__(root, cmd_channel)
        self._sent: OrderedDict[str, SentFile] = OrderedDict()

    def add(self, path: str, size_bytes: int, photo_id: int | None) -> None:
        """Know a file that was sent."""
        self._sent[path] = SentFile(size_bytes, photo_id, time.time())
        self._sent.move_to_end(path)
        while len(self._sent) > KNOWN_FILES:
            self._sent.popitem(last=False)

    def find(self, path: str) -> SentFile | None:
        """Return the file of this path, if this connection has sent it."""
        return self._sent.get(path)

    def move(self, path: str, to: str) -> None:
        """Know a file by another path."""
        self._sent[to] = self._sent.pop(path)

    def validpath(self, path: str) -> bool:
        """Nothing of a path leads anywhere."""
        return True

    def realpath(self, path: str) -> str:
        return path

    def isfile(self, path: str) -> bool:
        return path in self._sent

    def isdir(self, path: str) -> bool:
        return path not in self._sent

    def islink(self, path: str) -> bool:
        return False

    def lexists(self, path: str) -> bool:
        return path in self._sent

    def chdir(self, path: str) -> None:
        self.cwd = self.fs2ftp(path)

    def mkdir(self, path: str) -> None:
        """It is there already."""

    def listdir(self, path: str) -> list[str]:
        """Return the names of what this connection has sent to the folder: of nobody else's."""
        folder = path.rstrip("/") or "/"
        return [basename(sent) for sent in self._sent if dirname(sent) == folder]

    def getsize(self, path: str) -> int:
        return self._known(path).size_bytes

    def getmtime(self, path: str) -> float:
        return self._known(path).at

    def stat(self, path: str) -> os.stat_result:
        sent = self._known(path)
        mode = stat.S_IFREG | 0o644
        at = int(sent.at)
        return os.stat_result((mode, 0, 0, 1, 0, 0, sent.size_bytes, at, at, at))

    lstat = stat

    def get_user_by_uid(self, uid: int) -> str:
        return "findme"

    def get_group_by_gid(self, gid: int) -> str:
        return "findme"

    def _known(self, path: str) -> SentFile:
        sent = self._sent.get(path)
        if sent is None:
            raise FilesystemError("No such file was sent over this connection")
        return sent

"""What is told of a folder and its files, each thing once, and which photos were not sent."""

from collections.abc import Iterable
from pathlib import Path

from findme_watch.delivery import Delivered
from findme_watch.known import State
from findme_watch.telling import Event, Teller, What


class FolderReport:
    """Tells of one folder."""

    def __init__(self, folder: Path, teller: Teller) -> None:
        self._folder = folder
        self._teller = teller
        #: What was told of a path (the folder's own among them), so that it is told once.
        self._told: dict[Path, str] = {}
        #: Photos that were not sent, and why.
        self.not_sent: dict[Path, str] = {}

    def has_told_of(self, path: Path) -> bool:
        """Whether anything that is told once was."""
        return path in self._told

    def only(self, there: Iterable[Path]) -> None:
        """Forget of what is not there any more that it was not sent."""
        present = set(there)
        self.not_sent = {path: why for path, why in self.not_sent.items() if path in present}

    def left(self, photos: int) -> None:
        """So many are still to be sent."""
        self._teller.left(self._folder, photos)

    def notice(self, path: Path, reason: str) -> None:
        """Something that is good to know."""
        self._once(What.NOTICE, path, reason)

    def problem(self, path: Path, reason: str) -> None:
        """Something that keeps photos from being sent, or moved."""
        self._once(What.PROBLEM, path, reason)

    def folder_is_back(self) -> None:
        """The folder's own problem is over."""
        self._told.pop(self._folder, None)

    def listed(self, path: Path, reason: str, *, is_loss: bool) -> None:
        """A file is not sent by its name, or cannot be looked at."""
        if is_loss:
            self.not_sent[path] = reason
        self._once(What.LISTED, path, reason)

    def refused(self, path: Path, reason: str | None) -> None:
        """The server does not take it."""
        self.not_sent[path] = reason or ""
        self._once(What.REFUSED, path, reason or "")

    def is_to_come(self, path: Path) -> None:
        """It is new, or has changed."""
        self.not_sent.pop(path, None)

    def would_send(self, path: Path, photo_id: int | None) -> None:
        """What a run that sends nothing would do about it."""
        self.tell(What.WOULD_SEND if photo_id is None else What.DUPLICATE, path)

    def delivered(self, path: Path, delivered: Delivered) -> None:
        """What became of it."""
        content = delivered.content
        if content.state is State.REFUSED:
            self.refused(path, content.reason)
        elif delivered.is_duplicate:
            self.tell(What.DUPLICATE, path, "The event has it already.", content.photo_id)
        else:
            self.tell(What.SENT, path, None, content.photo_id)

    def tell(
        self, what: What, path: Path, reason: str | None = None, photo_id: int | None = None
    ) -> None:
        """Tell it, also again."""
        self._teller.tell(Event(what, path, reason, photo_id))

    def _once(self, what: What, path: Path, reason: str) -> None:
        if self._told.get(path) != reason:
            self._told[path] = reason
            self.tell(what, path, reason)

"""A file that comes over a data connection: written by its thread, answered when it ends."""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from typing import Any

import structlog

from libs.common.errors import FindMeError
from services.ingest.ftp.answers import OUR_FAULT, answer_to, in_one_line
from services.ingest.ftp.desk import ANSWER_SECONDS, Desk
from services.ingest.ftp.pieces import End, Pieces
from services.ingest.ftp.receive_file import ExpectedFile
from services.ingest.photos.store_photo import Kept
from services.ingest.request_body import BrokenBody

log = structlog.get_logger(__name__)

#: The loop is entered once per piece: fewer bytes would cost more than their way there.
PIECE_BYTES = 256 * 1024
#: Of a file that is refused so much is read on, so that the camera reads the reason: who is cut
#: off in the middle sees a broken connection.
DISCARDED_BYTES = 16 * 1024 * 1024

STOPPED = "421 The server is being stopped. Go on in a minute: what came is kept."


class Refused(Exception):
    """The file is refused, and enough of it was read."""


class IncomingFile:
    """The file object that the FTP library writes to; its end is an answer to the camera."""

    def __init__(self, expected: ExpectedFile, desk: Desk) -> None:
        self.name = "photo"  # for the library's words, which name no file
        self.closed = False
        #: Of the whole file, with what came of it before.
        self.size_bytes = expected.starts_at
        #: Seconds that its sender was held up by us.
        self.waited_seconds = 0.0
        #: Until somebody says otherwise.
        self.end = End.BROKEN
        #: Whether the sender is told that it broke; who broke it off knows.
        self.is_told = False
        self.kept: Kept | None = None
        self._expected = expected
        self._desk = desk
        self._pieces = Pieces()
        self._held = bytearray()
        self._is_stopped = False
        self._discarded_bytes = 0
        self._upload: Future[Kept] | None = None
        self._on_answer: Callable[[str], None] | None = None

    def begin(self, on_answer: Callable[[str], None]) -> None:
        """Begin to take it in; `on_answer` gets the line that its sender is told, if any."""
        self._on_answer = on_answer
        self._upload = self._desk.receive(self._pieces, self._expected)

    @property
    def is_settled(self) -> bool:
        """Whether it is known what becomes of it, however much is still sent."""
        return self._upload is not None and self._upload.done()

    def stop(self) -> None:
        """Have it end here, from any thread: what came of it is kept."""
        self._is_stopped = True
        self._desk.begin(self._pieces.put(BrokenBody(STOPPED)))

    def cancel(self) -> None:
        """Give it up, from any thread."""
        if self._upload is not None:
            self._upload.cancel()

    def write(self, chunk: bytes) -> None:
        """Take bytes, once there is room for them. Raises Refused."""
        self.size_bytes += len(chunk)
        self._held += chunk
        if len(self._held) >= PIECE_BYTES:
            self._hand_over_held()

    def close(self) -> None:
        """Have the file stored, or forgotten, by how it ended."""
        if self.closed:
            return
        self.closed = True
        if self._upload is None:
            return
        try:
            answer = self._settle(self._upload)
        except Refused:
            answer = self._answer(self._upload)
        if answer is not None and self._on_answer is not None:
            self._on_answer(answer)

    def _settle(self, upload: "Future[Kept]") -> str | None:
        self._hand_over_held()
        self._hand_over(self.end)
        told = self._answer(upload)
        return told if self.is_told or self.end is not End.BROKEN else None

    def _hand_over_held(self) -> None:
        if self._held:
            piece = bytes(self._held)
            self._held.clear()
            self._hand_over(piece)

    def _hand_over(self, piece: bytes | End) -> None:
        upload = self._upload
        if upload is None:
            return
        if not upload.done():
            began = time.monotonic()
            put = self._desk.begin(self._pieces.put(piece))
            both: list[Future[Any]] = [put, upload]
            wait(both, return_when=FIRST_COMPLETED)
            self.waited_seconds += time.monotonic() - began
            if put.done():
                return
            put.cancel()
        if isinstance(piece, bytes):
            self._discarded_bytes += len(piece)
            if self._discarded_bytes > DISCARDED_BYTES:
                raise Refused

    def _answer(self, upload: "Future[Kept]") -> str:
        try:
            self.kept = kept = upload.result(ANSWER_SECONDS)
        except CancelledError:
            return STOPPED
        except FindMeError as error:
            return STOPPED if self._is_stopped else answer_to(error)
        except Exception:
            upload.cancel()
            log.exception("ftp_upload_failed")
            return f"451 {OUR_FAULT}"
        is_new = kept.status == "queued"
        told = "received" if is_new else "there already"
        return f"226 {in_one_line(kept.name)} is photo {kept.photo_id}, {told}."

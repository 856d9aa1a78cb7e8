"""Bring one file to the event, for as long as it takes: ask, send, and begin again."""

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from findme_watch.asking import Asking
from findme_watch.known import Content, Look, State
from findme_watch.pace import LONGEST_FILE_PAUSE_SECONDS, pause_seconds
from findme_watch.reading import Changed, examine, read_piece
from findme_watch.server import NotNow, Refused, Shut, Stored, Stumbled, sha256_of
from findme_watch.target import Target
from findme_watch.telling import Event, Teller, What
from findme_watch.turns import Turns
from findme_watch.tus import PIECE_BYTES, TusUpload

#: A key may be made anew and an event opened again while nobody looks at this machine.
SHUT_PAUSE_SECONDS: Final = 30.0
#: From so many failures of one file on it is told.
_TOLD_FROM: Final = 3
#: The answer about an event that takes no more photos until some are deleted; no file's fault.
_EVENT_FULL: Final = 409
#: A pause shorter than this is over before anybody has read of it.
_TOLD_PAUSE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class File:
    """A file that is whole, and what it holds."""

    path: Path
    look: Look
    sha256: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a file's content, and whether the event had it before."""

    content: Content
    is_duplicate: bool = False


class Delivery:
    """Brings files to one event."""

    def __init__(
        self, target: Target, *, waits_for_door: bool, turns: Turns, teller: Teller
    ) -> None:
        self._target = target
        self._waits_for_door = waits_for_door
        self._turns = turns
        self._teller = teller
        self._asking = Asking(target.server, target.event_id, turns)
        self._rng = random.Random()  # noqa: S311 - jitter
        #: Until when it was said that nothing is sent, by the loop's time.
        self._told_until = 0.0
        #: Why nothing is taken from us at this moment.
        self.shut: str | None = None
        self._paused_because: str | None = None

    @property
    def problem(self) -> str | None:
        """Why nothing is sent at this moment, None where nothing keeps it."""
        return self.shut or (self._paused_because if self._turns.paused_seconds else None)

    async def photo_id(self, file: File) -> int | None:
        """Return the event's photo of this content, None where it has none. Raises Shut."""
        failures = 0
        while True:
            try:
                found = await self._asking.photo_id(file.sha256)
            except (NotNow, Stumbled, Refused) as error:
                failures += 1
                await self._rest(file, error, failures)
            except Shut as error:
                await self._before_the_door(error)
            else:
                self.shut = None
                return found

    async def bring(self, file: File) -> Delivered:
        """Return what became of it. Raises Changed, OSError, and Shut where that is not waited out.

        After each failure the event is asked first: what was sent may have arrived, though no
        answer came back.
        """
        failures = 0
        while True:
            photo_id = await self.photo_id(file)
            if photo_id is not None:
                return Delivered(Content(State.SENT, photo_id), is_duplicate=True)
            try:
                stored = await self._send(file)
            except (NotNow, Stumbled) as error:
                failures += 1
                await self._rest(file, error, failures)
            except Shut as error:
                await self._before_the_door(error)
            except Refused as error:
                if error.status == _EVENT_FULL:
                    await self._before_the_door(Shut(str(error), error.status))
                    continue
                if not await self._is_as_read(file):
                    raise Changed(str(file.path)) from error
                return Delivered(Content(State.REFUSED, reason=str(error)))
            else:
                return Delivered(Content(State.SENT, stored.photo_id), stored.is_duplicate)

    async def _send(self, file: File) -> Stored:
        async with self._turns.turn() as turn:
            try:
                if file.look.size <= PIECE_BYTES:
                    stored = await self._put(file)
                else:
                    stored = await self._send_in_pieces(file)
            except NotNow as error:
                turn.failed(error.retry_after)
                raise
            except Stumbled:
                turn.failed()
                raise
            except Refused:
                turn.succeeded()
                raise
            turn.succeeded()
            return stored

    async def _put(self, file: File) -> Stored:
        content = await asyncio.to_thread(
            read_piece, file.path, file.look, 0, max(file.look.size, 1)
        )
        if sha256_of(content) != file.sha256:
            raise Changed(str(file.path))
        try:
            return await self._target.server.put(
                self._target.event_id,
                file.path.name,
                content,
                file.sha256,
                watcher_id=self._target.watcher_id,
            )
        finally:
            # Taken or not, they went over the network.
            self._teller.sent_bytes(len(content))

    async def _send_in_pieces(self, file: File) -> Stored:
        upload = TusUpload(
            self._target, name=file.path.name, size=file.look.size, sha256=file.sha256
        )

        async def read(offset: int, count: int) -> bytes:
            return await asyncio.to_thread(read_piece, file.path, file.look, offset, count)

        return await upload.send(read, on_piece=self._teller.sent_bytes)

    async def _is_as_read(self, file: File) -> bool:
        """Whether it was this content that was refused, and not one that changed on the way."""
        try:
            found = await asyncio.to_thread(examine, file.path, file.look)
        except Changed:
            return False
        return found.sha256 == file.sha256

    async def _rest(self, file: File, error: Exception, failures: int) -> None:
        """Wait after a failure; one of the link is waited out by all, in their turns."""
        if isinstance(error, NotNow):
            self._tell_pause(error)
            return
        if failures >= _TOLD_FROM:
            self._teller.tell(Event(What.PROBLEM, file.path, f"Tried {failures} times: {error}"))
        await asyncio.sleep(
            pause_seconds(failures, longest=LONGEST_FILE_PAUSE_SECONDS, rng=self._rng)
        )

    async def _before_the_door(self, error: Shut) -> None:
        """Wait until it may be open again; raise the error where nobody wants to wait."""
        if not self._waits_for_door:
            # It ends the program, which says why.
            raise error
        if self.shut != str(error):
            self.shut = str(error)
            self._teller.tell(Event(What.PROBLEM, reason=self.shut))
        await asyncio.sleep(SHUT_PAUSE_SECONDS * self._rng.uniform(0.8, 1.2))

    def _tell_pause(self, error: NotNow) -> None:
        """Say it once for all files that wait."""
        self._paused_because = str(error)
        seconds, now = self._turns.paused_seconds, asyncio.get_running_loop().time()
        if seconds >= _TOLD_PAUSE_SECONDS and now >= self._told_until:
            self._told_until = now + seconds
            reason = f"{error} Trying again in {seconds:.0f} s."
            self._teller.tell(Event(What.PAUSED, reason=reason))

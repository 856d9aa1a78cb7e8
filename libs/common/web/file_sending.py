"""Files into a connection by the kernel alone: none of their bytes passes through the process.

An offer of our server to its applications, in `scope["extensions"]`, beside ASGI's own messages:
those for files (`pathsend`, `zerocopysend`) end only when all was sent, and whoever waits for a
client would hold its file meanwhile.

The transport writes nothing while a file is sent, and knows nothing of it. So a file waits until
the transport's own buffer is empty; and what is waited for is counted here, for those who watch
whether the client takes anything (`stalled.py`).
"""

import asyncio
import errno
import os
from collections.abc import Awaitable
from typing import Final, Protocol

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from libs.common.web.joined_head import JoinedHead

EXTENSION: Final = "findme.files"
#: What is sent in one go, before others have their turn: the kernel copies it in 20 to 50 µs.
TURN_BYTES = 256 * 1024
#: Of file systems whose files the kernel does not send, as some in user space: they are read.
_CANNOT_SEND = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


class SentFile(Protocol):
    """What is sent of: an open file, as the folder store has."""

    @property
    def descriptor(self) -> int:
        """Its number."""

    def fetch(self, start: int, end: int) -> Awaitable[None]:
        """Have these bytes where the kernel need not wait for them."""


class FileSender:
    """Sends files as parts of one answer."""

    __slots__ = ("_cycle", "_head", "_is_lost", "_loop", "_transport", "_woken", "waiting_bytes")

    def __init__(
        self,
        cycle: RequestResponseCycle,
        transport: asyncio.Transport,
        head: JoinedHead,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._cycle = cycle
        self._transport = transport
        self._head = head
        self._loop = loop
        self._woken: asyncio.Future[None] | None = None
        self._is_lost = False
        #: What the client is still to take of the file in hand.
        self.waiting_bytes = 0

    @property
    def is_gone(self) -> bool:
        """Whether the client is not there any more: nothing needs to be sent on."""
        return self._transport.is_closing()

    async def ready(self) -> None:
        """Wait until all that was written before, the head at least, is the system's."""
        self._head.flush()
        if not self._transport.get_write_buffer_size() or self.is_gone:
            return
        self._transport.set_write_buffer_limits(high=0)
        try:
            await self._cycle.flow.drain()
        finally:
            if not self.is_gone:
                self._transport.set_write_buffer_limits()

    async def send(self, file: SentFile, start: int, end: int, *, patience_seconds: float) -> int:
        """Send the file's bytes; return up to where: `end`, unless the client lets wait or is gone.

        It lets wait when it takes nothing for `patience_seconds`; whoever closes the file then
        goes on once there is `room`. What was written before must be out, see `ready`.
        """
        position = start
        self.waiting_bytes = end - position
        while position < end and not self.is_gone:
            turn_end = min(position + TURN_BYTES, end)
            await file.fetch(position, turn_end)
            sent = self._send_now(file.descriptor, position, turn_end)
            if sent is None:
                if not await self._has_room(patience_seconds):
                    return position
                continue
            position += sent
            # Of the length that the head announced.
            self._cycle.expected_content_length -= sent
            self.waiting_bytes = end - position
            if position < end:
                await asyncio.sleep(0)
        self.waiting_bytes = 0
        if self.is_gone:
            await self._lost()
        return position

    async def room(self) -> None:
        """Wait until the client has taken something, or is gone."""
        await self._has_room(None)
        if self.is_gone:
            await self._lost()

    def end(self) -> None:
        """The connection is lost: nobody waits for the client any more."""
        self._is_lost = True
        self.waiting_bytes = 0
        self._wake()

    def _send_now(self, file: int, start: int, end: int) -> int | None:
        """Return how many bytes the system took, None while it takes none."""
        if self.is_gone:  # the socket's number may be another connection's already
            return 0
        try:
            sent = self._send_by_kernel(file, start, end)
        except BlockingIOError:
            return None
        except ConnectionError:
            self._transport.abort()
            return 0
        if sent == 0:
            msg = f"a file ended at {start}, before {end}"
            raise EOFError(msg)
        return sent

    def _send_by_kernel(self, file: int, start: int, end: int) -> int:
        try:
            return os.sendfile(self._socket(), file, start, end - start)
        except OSError as error:
            if error.errno not in _CANNOT_SEND:
                raise
            return os.write(self._socket(), os.pread(file, end - start, start))

    async def _has_room(self, seconds: float | None) -> bool:
        """Wait until the system takes more, or the client is gone; False after so long."""
        if self.is_gone:
            return True
        if seconds == 0:
            return False
        # A number of its own, as the loop lets nobody wait for the transport's.
        descriptor = os.dup(self._socket())
        self._woken = self._loop.create_future()
        self._loop.add_writer(descriptor, self._wake)
        try:
            async with asyncio.timeout(seconds):
                await self._woken
        except TimeoutError:
            return False
        finally:
            self._woken = None
            self._loop.remove_writer(descriptor)
            # Also what keeps a connection open that the transport has closed.
            os.close(descriptor)
        return True

    async def _lost(self) -> None:
        """Wait until uvicorn knows that the client is gone, and misses no end of the answer."""
        if not self._is_lost:
            self._woken = self._loop.create_future()
            await self._woken

    def _wake(self) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def _socket(self) -> int:
        number: int = self._transport.get_extra_info("socket").fileno()
        return number


def file_sender(scope: Scope) -> FileSender | None:
    """Return what sends files into the request's connection, None where nothing does."""
    sender = (scope.get("extensions") or {}).get(EXTENSION)
    return sender if isinstance(sender, FileSender) else None

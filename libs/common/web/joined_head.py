"""An answer's head and body as one write: one call of the system, and one packet to the client."""

import asyncio
from collections.abc import Callable

#: Up to here joining by a copy costs less than telling the system of two pieces.
COPIED_BYTES = 128 * 1024


class JoinedHead:
    """What uvicorn writes an answer to: holds its head until the body follows.

    No longer than until the loop's next turn: the head of a stream goes out at once.
    """

    __slots__ = ("_awaits_head", "_hang_up", "_held", "_loop", "_timer", "_transport")

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        *,
        hang_up: Callable[[], None],
    ) -> None:
        """`hang_up` ends the connection behind what was written."""
        self._transport = transport
        self._loop = loop
        self._hang_up = hang_up
        self._held: bytes | None = None
        self._timer: asyncio.Handle | None = None
        self._awaits_head = False

    def begin(self) -> None:
        """An answer begins: its head is what is written next."""
        self.flush()
        self._awaits_head = True

    def write(self, data: bytes) -> None:
        """As the transport's."""
        if self._awaits_head:
            self._awaits_head = False
            self._held = data
            self._timer = self._loop.call_soon(self.flush)
        elif self._held is None:
            self._transport.write(data)
        else:
            head, self._held = self._held, None
            self._forget_timer()
            self._write_both(head, data)

    def write_whole(self, head: bytes, body: bytes | bytearray) -> None:
        """Write an answer that is complete, behind those before it."""
        self.flush()
        self._write_both(head, body)

    def flush(self) -> None:
        """Write the head, if it is held."""
        if self._held is not None:
            head, self._held = self._held, None
            self._forget_timer()
            self._transport.write(head)

    def close(self) -> None:
        """As the transport's."""
        self.flush()
        self._hang_up()

    def is_closing(self) -> bool:
        """As the transport's."""
        return self._transport.is_closing()

    def _write_both(self, head: bytes, body: bytes | bytearray) -> None:
        if len(body) <= COPIED_BYTES:
            self._transport.write(b"".join((head, body)))
        else:
            self._transport.writelines((head, body))

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

"""Ends a connection whose client is still sending, so that it can read the answer.

What comes for a socket that is closed is answered by a reset, and that takes away what the client
has not read yet. So this side ends its own half, and throws away what comes until the client ends.
"""

import asyncio

#: As long as nginx lingers: a phone sends a photo of 20 MB in it.
LINGER_SECONDS = 30.0


class LingeringEnd:
    """The end of one connection; nothing is written to it any more."""

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, *, seconds: float
    ) -> None:
        self._transport = transport
        if transport.can_write_eof():
            transport.write_eof()
        # A client that goes on sending is not waited for without end.
        self._timer = loop.call_later(seconds, transport.close)

    def end(self) -> None:
        """All that was announced has come, or the client has gone."""
        self._timer.cancel()
        self._transport.close()

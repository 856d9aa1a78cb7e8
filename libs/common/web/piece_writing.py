"""A piece of an answer that is under way, written by whoever has it and without the answer's task.

An offer of our server to its applications, in `scope["extensions"]`. To wake a task, which then
sends, costs more than the sending: of a message to 1,500 live streams it was two thirds.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

EXTENSION: Final = "findme.pieces"


class Piece:
    """Bytes of a body, also as a chunk (RFC 9112, 7.1): made once for all connections."""

    __slots__ = ("chunk", "content")

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.chunk = b"%x\r\n%b\r\n" % (len(content), content)


class PieceWriter:
    """Writes pieces of one answer, whose task must be sending nothing meanwhile."""

    __slots__ = ("_cycle", "_transport")

    def __init__(self, cycle: RequestResponseCycle, transport: asyncio.Transport) -> None:
        self._cycle = cycle
        self._transport = transport

    def write(self, pieces: Sequence[Piece]) -> bool:
        """Write them now, or return False: where the client has not taken all that was written.

        Also before the answer's head, after its end, and where it says how long it is.
        """
        cycle = self._cycle
        if (
            cycle.disconnected
            or not cycle.chunked_encoding
            or cycle.response_complete
            or cycle.flow.write_paused
            or self._transport.get_write_buffer_size()
        ):
            return False
        cycle.transport.write(
            pieces[0].chunk if len(pieces) == 1 else b"".join([piece.chunk for piece in pieces])
        )
        return True

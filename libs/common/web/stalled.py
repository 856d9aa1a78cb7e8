"""Cuts connections of clients that stopped: they take nothing, or do not send on what they began.

Looked for at the connection and not at an answer's sends: those return as long as the server's
own buffer has room, so that whoever never reads keeps the last pieces, and after the answer the
connection, whose closing waits for them.
"""

import asyncio
import math
import struct
import sys
from collections.abc import Callable

import structlog

from libs.common.telemetry.metrics import CLIENTS_CUT_OFF

if sys.platform == "linux":
    from socket import IPPROTO_TCP, TCP_INFO

DEFAULT_STALL_SECONDS = 30.0
#: So often is looked within the time after which a client is cut off.
LOOKS = 4
#: Of Linux's `struct tcp_info`: where `tcpi_bytes_acked` is, and how much is read of it.
_ACKED_AT, _INFO_BYTES = 120, 128

log = structlog.get_logger(__name__)


class StallWatch:
    """Watches one connection from its beginning to its end."""

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        *,
        waiting_bytes: Callable[[], int],
        awaits_client: Callable[[], bool],
        stall_seconds: float,
        silence_seconds: float,
    ) -> None:
        """`awaits_client` says whether a request has begun, or none was ever sent.

        `waiting_bytes` says how much the client is yet to take that the system does not hold.

        A client may take nothing for `stall_seconds` (any byte will do), and take
        `silence_seconds` for a request's head, as for each next piece of its body.
        """
        self._transport = transport
        self._loop = loop
        self._waiting = waiting_bytes
        self._awaits_client = awaits_client
        self._every_seconds = min(stall_seconds, silence_seconds) / LOOKS
        # Looks are counted and not seconds: a process that stood still has not looked meanwhile.
        self._max_stalled = math.ceil(stall_seconds / self._every_seconds)
        self._max_silent = math.ceil(silence_seconds / self._every_seconds)
        self._stalled = self._silent = 0
        self._waiting_bytes = self._acked_bytes = 0
        self._timer = loop.call_later(self._every_seconds, self._look)

    def heard(self) -> None:
        """Begin the wait for the client anew: it sent what was waited for."""
        self._silent = 0

    def end(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        self._stalled = 0 if self._is_taking() else self._stalled + 1
        self._silent = self._silent + 1 if self._awaits_client() else 0
        if self._stalled > self._max_stalled:
            self._cut_off("took nothing")
        elif self._silent > self._max_silent:
            self._cut_off("sent nothing")
        else:
            self._timer = self._loop.call_later(self._every_seconds, self._look)

    def _is_taking(self) -> bool:
        """Whether nothing waits for the client, or it took some of that since the last look."""
        waiting = self._waiting()
        acked = self._acked() if waiting else 0
        is_taking = waiting == 0 or waiting < self._waiting_bytes or acked > self._acked_bytes
        self._waiting_bytes, self._acked_bytes = waiting, acked
        return is_taking

    def _acked(self) -> int:
        """Bytes that arrived at the client, as far as the system tells; a sum.

        The buffer alone does not: the system asks for more only when a third of its own, of
        4 MB, is free again, which takes a client of 20 kB/s 70 s.
        """
        if sys.platform != "linux":
            return 0
        info = self._transport.get_extra_info("socket").getsockopt(
            IPPROTO_TCP, TCP_INFO, _INFO_BYTES
        )
        if len(info) < _INFO_BYTES:  # an older system's
            return 0
        acked: int = struct.unpack_from("=Q", info, _ACKED_AT)[0]
        return acked

    def _cut_off(self, what: str) -> None:
        CLIENTS_CUT_OFF.labels(what.replace(" ", "_")).inc()
        log.info("client_cut_off", client=what)
        # Not `close`, which would wait until what is written is taken.
        self._transport.abort()

"""Takes connections as they come, many at a time.

uvloop takes one each time around its loop. Whoever scans a code with 600 others waits for as many
rounds: with a loop that is busy in slices of 10 ms the last one was answered after 8 s, and here
after 0.7 s, as by asyncio's own loop. A listener that is `dup`ed 32 times is as fast (0.6 s), and
wakes all of them for each single connection.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog

from libs.common.exhaustion import lacks
from libs.common.web.connection_bounds import ConnectionBounds

log = structlog.get_logger(__name__)

#: Taken before others get their turn.
AT_ONCE = 64
#: Nothing is taken for so long where the system has no more files or memory; clients wait.
PAUSE_SECONDS = 0.5
#: What says of a single connection that it went before it was taken.
_GONE = (errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.EINTR)

#: So long a client may take to agree on a key; it has sent no request yet.
TLS_HANDSHAKE_SECONDS = 15.0

#: Makes what speaks with one client.
ProtocolFactory = Callable[[], asyncio.BaseProtocol]
#: Host and port; None where there are none, as of a Unix socket.
Client = tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class Tls:
    """What connections are protected by."""

    #: Called for each connection: certificates are renewed.
    context: Callable[[], ssl.SSLContext]
    #: How many may agree on a key at a time: until they have, no protocol counts them.
    handshakes: ConnectionBounds


class Acceptor(asyncio.AbstractServer):
    """One listening socket, which it closes; begins to accept when it is made."""

    def __init__(
        self,
        listener: socket.socket,
        protocol_factory: ProtocolFactory,
        *,
        tls: Tls | None = None,
    ) -> None:
        self.sockets = (listener,)
        self._listener = listener
        self._protocol_factory = protocol_factory
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._beginning: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._is_closed = False
        listener.settimeout(0)
        self._resume()

    @property
    def is_paused(self) -> bool:
        """Whether the system had no more files or memory a moment ago."""
        return self._pause is not None

    def close(self) -> None:
        """Take no more; connections go on."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    async def wait_closed(self) -> None:
        """Wait for those that were just taken to begin."""
        await asyncio.gather(*self._beginning)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop that it accepts on."""
        return self._loop

    def is_serving(self) -> bool:
        """Whether it accepts."""
        return not self._is_closed

    async def start_serving(self) -> None:
        """It has begun."""

    async def serve_forever(self) -> None:
        """Not of use here: a server has more to do. Raises NotImplementedError."""
        raise NotImplementedError

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for connection, client in self._waiting():
            if self._tls is not None and not self._tls.handshakes.admit(client):
                # Without a key nothing can be said.
                connection.close()
                continue
            connection.settimeout(0)
            # A task of its own: a protocol's beginning is the loop's to call.
            task = self._loop.create_task(self._begin(connection, client))
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

    def _waiting(self) -> Iterator[tuple[socket.socket, Client]]:
        for _ in range(AT_ONCE):
            try:
                connection, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _GONE:
                    continue
                # The listener stays readable, and would keep the loop busy with nothing.
                log.warning("accepting_paused", lacks=lacks(error), error=error)
                self._loop.remove_reader(self._listener)
                self._pause = self._loop.call_later(PAUSE_SECONDS, self._resume)
                return
            yield connection, address[:2] if isinstance(address, tuple) else None

    async def _begin(self, connection: socket.socket, client: Client) -> None:
        try:
            if self._tls is None:
                await self._loop.connect_accepted_socket(self._protocol_factory, connection)
            else:
                await self._begin_tls(connection, client, self._tls)
        except (ssl.SSLError, ConnectionError) as error:
            # Who does not speak TLS, does not trust the certificate, or has gone: every day.
            connection.close()
            log.debug("connection_not_begun", error=error)
        except Exception as error:  # noqa: BLE001 - one client's; the others go on
            connection.close()
            log.warning("connection_not_begun", error=error)

    async def _begin_tls(self, connection: socket.socket, client: Client, tls: Tls) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._protocol_factory,
                connection,
                ssl=tls.context(),
                ssl_handshake_timeout=TLS_HANDSHAKE_SECONDS,
            )
        finally:
            tls.handshakes.release(client)

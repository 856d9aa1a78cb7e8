"""The end of a service: not ready first, then its work in hand, and only then no answers."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence

import structlog
import uvicorn

from libs.common.web.acceptor import Acceptor, Tls
from libs.common.web.long_lived import LongLived

log = structlog.get_logger(__name__)
FORCE_POLL_SECONDS = 0.1


class Stopping:
    """Whether a service is about to end, and what it finishes while it still answers."""

    def __init__(self) -> None:
        self.has_begun = False
        self._intakes: list[Callable[[], Awaitable[None]]] = []

    def first(self, stop_intake: Callable[[], Awaitable[None]]) -> None:
        """Have this called, and awaited, before requests are refused; it must end in time."""
        self._intakes.append(stop_intake)

    async def begin(self) -> None:
        """Say that the service is not ready any more, and stop its intake of work; once."""
        if self.has_begun:
            return
        self.has_begun = True
        for outcome in await asyncio.gather(
            *(stop_intake() for stop_intake in self._intakes), return_exceptions=True
        ):
            if isinstance(outcome, Exception):
                log.error("stopping_failed", exc_info=outcome)


class GracefulServer(uvicorn.Server):
    """Serves until SIGTERM or SIGINT, and then ends the process with status 0.

    uvicorn alone closes its socket first, so that nobody could ask whether it is ready, and
    ends by raising the signal once more, which looks like a crash to whoever counts those. Nor
    does its loop take many connections at a time (`acceptor.py`).
    """

    def __init__(
        self, config: uvicorn.Config, stopping: Sequence[Stopping], *, tls: Tls | None = None
    ) -> None:
        super().__init__(config)
        self._stopping = stopping
        self._tls = tls
        self._long_lived: LongLived | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start and listen as uvicorn does; then accept in its loop's place."""
        await super().startup(sockets)
        listening = [listener.fileno() for server in self.servers for listener in server.sockets]
        # The loop's servers close what they listen on.
        listeners = [socket.socket(fileno=os.dup(number)) for number in listening]
        for server in self.servers:
            server.close()
        self.servers = [Acceptor(one, self._protocol, tls=self._tls) for one in listeners]  # type: ignore[misc]
        self._long_lived = LongLived()

    def _protocol(self) -> asyncio.Protocol:
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        return make(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            _loop=asyncio.get_running_loop(),
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the services' work while requests are still answered; then as uvicorn does."""
        work = asyncio.gather(*(stopping.begin() for stopping in self._stopping))
        while not work.done() and not self.force_exit:  # a second Ctrl-C
            await asyncio.wait([work], timeout=FORCE_POLL_SECONDS)
        await super().shutdown(sockets)
        if self._long_lived is not None:
            self._long_lived.close()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals for the length of the block, and do not raise them again."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

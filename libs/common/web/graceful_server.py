"""uvicorn with another end: not ready, work in hand finished, and only then no answers."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence

import uvicorn

from libs.common.web.stopping import Stopping

FORCE_POLL_SECONDS = 0.1


class GracefulServer(uvicorn.Server):
    """Serves until SIGTERM or SIGINT, and then ends the process with status 0.

    uvicorn alone closes its socket first, so that nobody could ask whether it is ready, and
    ends by raising the signal once more, which looks like a crash to whoever counts those.
    """

    def __init__(self, config: uvicorn.Config, stopping: Sequence[Stopping]) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the services' work while requests are still answered; then as uvicorn does."""
        work = asyncio.gather(*(stopping.begin() for stopping in self._stopping))
        while not work.done() and not self.force_exit:  # a second Ctrl-C
            await asyncio.wait([work], timeout=FORCE_POLL_SECONDS)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals for the length of the block, and do not raise them again."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

"""What a process writes to its standard output and error, where decoders complain."""

import multiprocessing
import os
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final

import structlog

#: Of what is told, the end.
LAST_WORDS_CHARACTERS: Final = 1000
#: What a pipe holds; it may hold less.
PIPE_BYTES: Final = 1 << 20

log = structlog.get_logger(__name__)


class Words(AbstractContextManager["Words"]):
    """Hears what is written to the other end of a pipe; never waits.

    A process that writes without end writes into the void, once the pipe is full.
    """

    def __init__(self) -> None:
        #: `mouth` is for the process; whoever starts it closes it afterwards.
        self._ear, self.mouth = multiprocessing.Pipe(duplex=False)
        os.set_blocking(self._ear.fileno(), False)

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()

    def hear(self) -> str:
        """Return what was written since the last time."""
        try:
            said = os.read(self._ear.fileno(), PIPE_BYTES)
        except OSError:  # nothing
            return ""
        return said.decode(errors="replace").strip()

    def tell(self, event: str, name: str) -> None:
        """Log the end of what the process has written lately."""
        if said := self.hear():
            log.warning(event, worker=name, said=said[-LAST_WORDS_CHARACTERS:])

    def close(self) -> None:
        self._ear.close()
        self.mouth.close()

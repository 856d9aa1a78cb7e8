"""FindMe as somebody starts it by hand: at a terminal, where it prints more than into a log."""

import os
import pty
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from demo.server import START_TIMEOUT_SECONDS, stop

_READY = "(Ctrl-C stops it)"


@contextmanager
def at_a_terminal(data_dir: Path, *options: str) -> Iterator[str]:
    """Start FindMe at a terminal, yield what it shows until it is ready, and stop it."""
    terminal, screen = pty.openpty()
    command = [sys.executable, "-m", "cli", "up", "--data-dir", str(data_dir), "--port", "0"]
    plain = os.environ | {"TERM": "dumb", "COLUMNS": "300"}  # without bold, and unfolded
    with ExitStack() as cleaning:
        cleaning.callback(os.close, terminal)
        up = subprocess.Popen([*command, *options], stdout=screen, stderr=screen, env=plain)
        os.close(screen)
        cleaning.callback(stop, up)
        shown = _shown_until_ready(terminal)
        # A terminal that nobody reads stops whoever writes there.
        reading = threading.Thread(target=_read_on, args=(terminal,))
        reading.start()
        try:
            yield shown
        finally:
            stop(up)
            reading.join()


def _read_on(terminal: int) -> None:
    with suppress(OSError):  # as Linux says that nobody writes there any more
        while os.read(terminal, 1000):
            pass


def _shown_until_ready(terminal: int) -> str:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    shown = ""
    while _READY not in shown:
        readable, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        assert readable, f"FindMe is not ready; it has shown:\n{shown}"
        try:
            shown += os.read(terminal, 1000).decode(errors="replace")
        except OSError as ended:
            msg = f"FindMe has ended; it has shown:\n{shown}"
            raise AssertionError(msg) from ended
    return shown.replace("\r", "")

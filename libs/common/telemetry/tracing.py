"""Traces: what a photo went through, from its upload to the guests' pages; off by default.

OpenTelemetry's API does nothing by itself; what records is opened by `running`, once per process.

A span says nothing of people. Its attributes are those of `Attributes`; its errors are told by
their kinds and places alone, because messages quote what they are about (SQL its values). What
else there is to know is in the logs, whose lines carry the trace's id.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Final, TypedDict, Unpack

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NoOpTracer,
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from libs.common.telemetry import failures

log = structlog.get_logger(__name__)

#: The header of W3C Trace Context, and the one that vendors add to it.
TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"

Headers = Mapping[str, str]


class Attributes(TypedDict, total=False):
    """All that a span may say: no names, no addresses, no ids of guests, no URLs."""

    event_id: int
    photo_id: int
    attempt: int
    engine: str
    faces: int
    matches: int
    outcome: str
    way: str
    queue: str
    routing_key: str
    message_id: str
    waited_seconds: float
    method: str
    route: str
    status: int


#: Names of OpenTelemetry's semantic conventions where they have one; ours else.
NAMES: Final = {
    "attempt": "findme.attempt",
    "engine": "findme.engine",
    "event_id": "findme.event_id",
    "faces": "findme.faces",
    "matches": "findme.matches",
    "message_id": "messaging.message.id",
    "method": "http.request.method",
    "outcome": "findme.outcome",
    "way": "findme.way",
    "photo_id": "findme.photo_id",
    "queue": "messaging.destination.name",
    "route": "http.route",
    "routing_key": "messaging.rabbitmq.destination.routing_key",
    "status": "http.response.status_code",
    "waited_seconds": "findme.waited_seconds",
}
# Trace Context alone: baggage of strangers is not passed on.
_PROPAGATOR = TraceContextTextMapPropagator()
_OFF: Final = NoOpTracer()
#: As with metrics there is one per process.
_tracer: Tracer = _OFF


class Pending:
    """Spans of work that counts once it is committed: they are recorded then, or never.

    Of a transaction that is repeated, all that was done before the last time came to nothing.
    """

    def __init__(self) -> None:
        self._spans: list[tuple[Span, int]] = []

    def keep(self, span: Span) -> None:
        """Keep a span whose block ends now."""
        self._spans.append((span, time.time_ns()))

    def record(self) -> None:
        """Record what was kept, as it was then."""
        for span, ended_ns in self._spans:
            span.end(ended_ns)
        self._spans.clear()


def is_on() -> bool:
    """Whether this process records spans."""
    return _tracer is not _OFF


def span(
    name: str, kind: SpanKind = SpanKind.INTERNAL, **attributes: Unpack[Attributes]
) -> AbstractContextManager[Span]:
    """Work within the present span, or by itself where there is none."""
    return _recorded(name, kind, attributes)


def detail(name: str, **attributes: Unpack[Attributes]) -> AbstractContextManager[Span]:
    """Work that is worth recording as a part of other work only."""
    return _recorded(name, SpanKind.INTERNAL, attributes, is_wanted=_present().is_valid)


def new_trace(name: str, **attributes: Unpack[Attributes]) -> AbstractContextManager[Span]:
    """Work with a trace of its own, linked to the present span."""
    return continued(name, {}, **attributes)


def continued(
    name: str,
    came_with: Headers,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    pending: Pending | None = None,
    **attributes: Unpack[Attributes],
) -> AbstractContextManager[Span]:
    """Work on what came with these headers: within its trace, or with one of its own.

    It is linked to the present span.
    """
    return _recorded(name, kind, attributes, parent=came_with, pending=pending)


def joined(
    name: str,
    traceparent: str | None,
    *,
    pending: Pending | None = None,
    **attributes: Unpack[Attributes],
) -> AbstractContextManager[Span]:
    """Work for another trace than the present one: then, and only then, a span in that."""
    parent = {} if traceparent is None else {TRACEPARENT: traceparent}
    other = trace.get_current_span(_PROPAGATOR.extract(parent, Context())).get_span_context()
    is_other = traceparent is not None and other.trace_id != _present().trace_id
    return _recorded(
        name,
        SpanKind.INTERNAL,
        attributes,
        parent=parent,
        is_wanted=is_other,
        pending=pending,
    )


def past(name: str, began_ns: int, ended_ns: int) -> None:
    """Record a part of the present work that was timed elsewhere, in nanoseconds of the epoch."""
    if is_on() and _present().is_valid:
        _tracer.start_span(name, start_time=began_ns).end(end_time=ended_ns)


def set_attributes(of: Span | None = None, /, **attributes: Unpack[Attributes]) -> None:
    """Say more of a span, of the present one unless another is given."""
    told = trace.get_current_span() if of is None else of
    told.set_attributes(_named(attributes))


def set_failed(of: Span, error: BaseException | str) -> None:
    """Mark a span as failed; an error that leaves its block does that by itself."""
    if not of.is_recording():
        return
    kind = error if isinstance(error, str) else failures.kind_of(error)
    of.set_status(Status(StatusCode.ERROR, kind))
    of.set_attribute("error.type", kind)
    if not isinstance(error, str):
        of.add_event(
            "exception", {"exception.type": kind, "exception.stacktrace": failures.stack_of(error)}
        )


def headers() -> dict[str, str]:
    """Return what a message or request takes along, so that its work is within the span."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier


def traceparent() -> str | None:
    """Return the present span as it is kept in a row."""
    return headers().get(TRACEPARENT)


def ids() -> tuple[str, str] | None:
    """Return the ids of the present trace and span, as hexadecimal digits."""
    present = _present()
    if not present.is_valid:
        return None
    return trace.format_trace_id(present.trace_id), trace.format_span_id(present.span_id)


@contextmanager
def using(tracer: Tracer) -> Iterator[None]:
    """Record by this for the length of the block."""
    global _tracer
    before, _tracer = _tracer, tracer
    try:
        yield
    finally:
        _tracer = before


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's own variables say where spans go."""
    return (
        any(
            environment.get(name)
            for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        )
        and environment.get("OTEL_SDK_DISABLED", "").lower() != "true"
        and environment.get("OTEL_TRACES_EXPORTER", "otlp").lower() != "none"
    )


@asynccontextmanager
async def running(service: str) -> AsyncIterator[None]:
    """Record and send spans for the length of the block, if the environment wants that.

    No fault of this, and no collector that is away, keeps a service from its work.
    """
    if is_on() or not is_wanted(os.environ):
        yield
        return
    try:
        from libs.common.telemetry.tracing_export import Export

        export = Export(service)
    except Exception as error:  # noqa: BLE001 - whatever it is, photos matter more
        log.error("tracing_is_off", error=error)  # noqa: TRY400 - a sentence is enough
        yield
        return
    try:
        with using(export.tracer):
            yield
    finally:
        await asyncio.to_thread(export.shutdown)


@contextmanager
def _recorded(
    name: str,
    kind: SpanKind,
    attributes: Attributes,
    *,
    parent: Headers | None = None,
    is_wanted: bool = True,
    pending: Pending | None = None,
) -> Iterator[Span]:
    """A child of `parent` (of nobody, when that is empty), else of the present span."""
    if not is_on() or not is_wanted:
        yield INVALID_SPAN
        return
    links: Sequence[Link] | None = None
    context = None
    if parent is not None:
        context = _PROPAGATOR.extract(parent, Context())
        links = [Link(_present())] if _present().is_valid else None
    with _tracer.start_as_current_span(
        name,
        context=context,
        kind=kind,
        attributes=_named(attributes),
        links=links,
        record_exception=False,
        set_status_on_exception=False,
        end_on_exit=pending is None,
    ) as started:
        try:
            yield started
        except BaseException as error:
            set_failed(started, error)
            raise
        finally:
            if pending is not None:
                pending.keep(started)


def _present() -> trace.SpanContext:
    return trace.get_current_span().get_span_context()


def _named(attributes: Attributes) -> dict[str, str | int | float]:
    return {NAMES[name]: value for name, value in attributes.items()}  # type: ignore[misc]

"""Traces by OpenTelemetry's SDK, sent by OTLP over HTTP. Imported only where tracing is on."""

import os
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Unpack

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from libs.common.errors import InvalidInput
from libs.common.telemetry.tracing import Attributes, Headers, Kind, Span

#: Longest wait for the collector when the process ends.
FLUSH_SECONDS = 5.0
PROTOCOL = "http/protobuf"
#: Frames of an error, of which the innermost say most.
MAX_FRAMES = 20

_KINDS: Final[dict[Kind, SpanKind]] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
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
    "photo_id": "findme.photo_id",
    "queue": "messaging.destination.name",
    "route": "http.route",
    "routing_key": "messaging.rabbitmq.destination.routing_key",
    "status": "http.response.status_code",
    "waited_seconds": "findme.waited_seconds",
}
# Trace Context alone: baggage of strangers is not passed on.
_PROPAGATOR = TraceContextTextMapPropagator()


def open_tracer(service: str) -> "OpenTelemetryTracer":
    """Return a tracer that sends to where the OTEL_ variables say.

    Spans wait in a bounded queue (OTEL_BSP_MAX_QUEUE_SIZE) for a thread of their own; what
    does not fit is dropped. Raises InvalidInput for a protocol that is not spoken here.
    """
    protocol = os.environ.get(
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    )
    if protocol not in {None, "", PROTOCOL}:
        msg = f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol} is not spoken here: use {PROTOCOL}."
        raise InvalidInput(msg)
    name = os.environ.get("OTEL_SERVICE_NAME") or service
    provider = TracerProvider(
        resource=Resource.create({SERVICE_NAME: name}), shutdown_on_exit=False
    )
    exporter = OTLPSpanExporter()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return OpenTelemetryTracer(provider, give_up=exporter.shutdown)


class OpenTelemetryTracer:
    """`Tracer` on a provider of OpenTelemetry's."""

    def __init__(
        self, provider: TracerProvider, *, give_up: Callable[[], None] = lambda: None
    ) -> None:
        """`give_up` ends attempts at sending that are under way."""
        self._provider = provider
        self._give_up = give_up
        self._tracer = provider.get_tracer("findme")

    @contextmanager
    def span(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        *,
        parent: Headers | None = None,
        links_present: bool = False,
    ) -> Iterator[Span]:
        present = trace.get_current_span().get_span_context()
        context = None if parent is None else _PROPAGATOR.extract(parent, Context())
        with self._tracer.start_as_current_span(
            name,
            context=context,
            kind=_KINDS[kind],
            attributes=_named(attributes),
            links=[Link(present)] if links_present and present.is_valid else None,
            record_exception=False,
            set_status_on_exception=False,
        ) as started:
            span = _Span(started)
            try:
                yield span
            except BaseException as error:
                span.failed(error)
                raise

    def has_span(self) -> bool:
        return trace.get_current_span().get_span_context().is_valid

    def is_in(self, headers: Headers) -> bool:
        other = trace.get_current_span(_PROPAGATOR.extract(headers, Context()))
        present = trace.get_current_span().get_span_context()
        return present.trace_id == other.get_span_context().trace_id

    def past(self, name: str, began_ns: int, ended_ns: int) -> None:
        if self.has_span():
            self._tracer.start_span(name, start_time=began_ns).end(end_time=ended_ns)

    def headers(self) -> dict[str, str]:
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return carrier

    def ids(self) -> tuple[str, str] | None:
        present = trace.get_current_span().get_span_context()
        if not present.is_valid:
            return None
        return trace.format_trace_id(present.trace_id), trace.format_span_id(present.span_id)

    def present(self) -> Span:
        return _Span(trace.get_current_span())

    def shutdown(self) -> None:
        # In a thread that is left alone when its time is over: one that waits for a collector
        # hears of no deadline.
        thread = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        thread.start()
        thread.join(FLUSH_SECONDS)
        if thread.is_alive():
            self._give_up()


class _Span:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def set(self, **attributes: Unpack[Attributes]) -> None:
        self._span.set_attributes(_named(attributes))

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def failed(self, error: BaseException | str) -> None:
        if not self._span.is_recording():
            return
        kind = error if isinstance(error, str) else _kind(error)
        self._span.set_status(Status(StatusCode.ERROR, kind))
        self._span.set_attribute("error.type", kind)
        if not isinstance(error, str):
            self._span.add_event(
                "exception", {"exception.type": kind, "exception.stacktrace": _places(error)}
            )


def _named(attributes: Attributes) -> dict[str, str | int | float]:
    return {NAMES[name]: value for name, value in attributes.items()}  # type: ignore[misc]


def _kind(error: BaseException) -> str:
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _places(error: BaseException) -> str:
    """Return where the error and its causes were raised, without their messages."""
    told: list[str] = []
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        frames = traceback.extract_tb(cause.__traceback__)[-MAX_FRAMES:]
        told.append("".join(traceback.format_list(frames)) + _kind(cause))
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\ncaused by:\n".join(told)

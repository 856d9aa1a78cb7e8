"""Spans kept in memory, and questions about them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from libs.common.telemetry import tracing


class Spans:
    """What was recorded and has ended."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter: Final = exporter

    @property
    def all(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all if span.name == name]

    def of_trace(self, root: ReadableSpan) -> list[ReadableSpan]:
        """The trace's spans by their beginnings."""
        spans = [span for span in self.all if trace_id(span) == trace_id(root)]
        return sorted(spans, key=lambda span: span.start_time or 0)

    def parent(self, span: ReadableSpan) -> ReadableSpan | None:
        if span.parent is None:
            return None
        return next((one for one in self.all if span_id(one) == span.parent.span_id), None)

    def path(self, span: ReadableSpan) -> list[str]:
        """The names from the root down to the span."""
        parent = self.parent(span)
        return [*(self.path(parent) if parent else []), span.name]

    def children(self, span: ReadableSpan) -> list[ReadableSpan]:
        found = [one for one in self.all if one.parent and one.parent.span_id == span_id(span)]
        return sorted(found, key=lambda one: one.start_time or 0)


@contextmanager
def recording_spans() -> Iterator[Spans]:
    """Record for the length of the block."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with tracing.using(provider.get_tracer("findme")):
        yield Spans(exporter)


def trace_id(span: ReadableSpan) -> int:
    assert span.context is not None
    found: int = span.context.trace_id
    return found


def span_id(span: ReadableSpan) -> int:
    assert span.context is not None
    found: int = span.context.span_id
    return found


def said(span: ReadableSpan, name: str) -> object:
    """The value of one of our own attributes."""
    return (span.attributes or {}).get(f"findme.{name}")

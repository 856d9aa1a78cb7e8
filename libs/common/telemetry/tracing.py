"""Traces: what a photo went through, from its upload to the guests' pages; off by default.

Code says what it does by `span` and its like; whether that is recorded is decided once per
process. When it is not, these do nothing, and OpenTelemetry is not even imported.

A span says nothing of people. Its attributes are those of `Attributes`; its errors are told by
their kinds and places alone, because messages quote what they are about (SQL its values). What
else there is to know is in the logs, whose lines carry the trace's id.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Literal, Protocol, Self, TypedDict, Unpack

import structlog

log = structlog.get_logger(__name__)

#: The header of W3C Trace Context, and the one that vendors add to it.
TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"

Kind = Literal["internal", "server", "client", "producer", "consumer"]
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
    queue: str
    routing_key: str
    message_id: str
    waited_seconds: float
    method: str
    route: str
    status: int


class Span(Protocol):
    """A piece of work with a beginning and an end."""

    def set(self, **attributes: Unpack[Attributes]) -> None:
        """Say more of it."""

    def rename(self, name: str) -> None:
        """Give it the name that was not known at its beginning."""

    def failed(self, error: BaseException | str) -> None:
        """Mark it as failed; an error that leaves the block does that by itself."""


class Tracer(Protocol):
    """What records spans; see the functions of this module."""

    def span(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        *,
        parent: Headers | None = None,
        links_present: bool = False,
    ) -> AbstractContextManager[Span]:
        """A child of `parent` (of nobody, when that is empty), else of the present span."""

    def has_span(self) -> bool:
        """Whether there is a present span."""

    def is_in(self, headers: Headers) -> bool:
        """Whether the present span is of the trace that the headers name."""

    def past(self, name: str, began_ns: int, ended_ns: int) -> None:
        """See `past`."""

    def headers(self) -> dict[str, str]:
        """See `headers`."""

    def ids(self) -> tuple[str, str] | None:
        """See `ids`."""

    def present(self) -> Span:
        """The present span."""

    def shutdown(self) -> None:
        """Send what is left, within a deadline. Blocks."""


class _Nothing:
    """A span that is not recorded."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def set(self, **attributes: Unpack[Attributes]) -> None:
        pass

    def rename(self, name: str) -> None:
        pass

    def failed(self, error: BaseException | str) -> None:
        pass


_NOTHING = _Nothing()
#: As with metrics there is one per process.
_tracer: Tracer | None = None


def is_on() -> bool:
    """Whether this process records spans."""
    return _tracer is not None


def span(
    name: str, kind: Kind = "internal", **attributes: Unpack[Attributes]
) -> AbstractContextManager[Span]:
    """Work within the present span, or by itself where there is none."""
    if _tracer is None:
        return _NOTHING
    return _tracer.span(name, kind, attributes)


def detail(name: str, **attributes: Unpack[Attributes]) -> AbstractContextManager[Span]:
    """Work that is worth recording as a part of other work only."""
    if _tracer is None or not _tracer.has_span():
        return _NOTHING
    return _tracer.span(name, "internal", attributes)


def new_trace(name: str, **attributes: Unpack[Attributes]) -> AbstractContextManager[Span]:
    """Work with a trace of its own, linked to the present span."""
    if _tracer is None:
        return _NOTHING
    return _tracer.span(name, "internal", attributes, parent={}, links_present=True)


def continued(
    name: str, came_with: Headers, kind: Kind = "internal", **attributes: Unpack[Attributes]
) -> AbstractContextManager[Span]:
    """Work on what came with these headers: within its trace, or with one of its own."""
    if _tracer is None:
        return _NOTHING
    return _tracer.span(name, kind, attributes, parent=came_with, links_present=True)


def joined(
    name: str, traceparent: str | None, **attributes: Unpack[Attributes]
) -> AbstractContextManager[Span]:
    """Work for another trace than the present one: then, and only then, a span in that."""
    if _tracer is None or traceparent is None:
        return _NOTHING
    headers = {TRACEPARENT: traceparent}
    if _tracer.is_in(headers):
        return _NOTHING
    return _tracer.span(name, "internal", attributes, parent=headers, links_present=True)


def past(name: str, began_ns: int, ended_ns: int) -> None:
    """Record a part of the present work that was timed elsewhere, in nanoseconds of the epoch."""
    if _tracer is not None:
        _tracer.past(name, began_ns, ended_ns)


def say(**attributes: Unpack[Attributes]) -> None:
    """Say more of the present span."""
    if _tracer is not None:
        _tracer.present().set(**attributes)


def headers() -> dict[str, str]:
    """Return what a message or request takes along, so that its work is within the span."""
    return {} if _tracer is None else _tracer.headers()


def traceparent() -> str | None:
    """Return the present span as it is kept in a row."""
    return headers().get(TRACEPARENT)


def ids() -> tuple[str, str] | None:
    """Return the ids of the present trace and span, as hexadecimal digits."""
    return None if _tracer is None else _tracer.ids()


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
        from libs.common.telemetry.tracing_otel import open_tracer

        tracer = open_tracer(service)
    except Exception as error:  # noqa: BLE001 - whatever it is, photos matter more
        log.error("tracing_is_off", error=str(error))  # noqa: TRY400 - a sentence is enough
        yield
        return
    try:
        with using(tracer):
            yield
    finally:
        await asyncio.to_thread(tracer.shutdown)

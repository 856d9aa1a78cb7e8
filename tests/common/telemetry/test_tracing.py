import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from libs.common.telemetry import tracing
from tests.support.logged import written_logs
from tests.support.spans import Spans, recording_spans, span_id, trace_id


@pytest.fixture
def spans() -> Iterator[Spans]:
    with recording_spans() as spans:
        yield spans


def test_every_attribute_that_a_span_may_say_has_its_name() -> None:
    assert set(tracing.NAMES) == set(tracing.Attributes.__annotations__)


def test_off_nothing_is_done_and_nothing_goes_along() -> None:
    with tracing.span("work") as span, tracing.new_trace("photo"), tracing.detail("part"):
        span.update_name("other")
        tracing.set_attributes(span, photo_id=1)
        tracing.set_attributes(photo_id=1)
        tracing.set_failed(span, "no reason")
        tracing.past("stage", 1, 2)
        assert tracing.headers() == {}
        assert tracing.traceparent() is None
        assert tracing.ids() is None
    assert not tracing.is_on()


def test_a_detail_is_recorded_as_a_part_of_other_work_only(spans: Spans) -> None:
    with tracing.detail("alone"):
        pass
    with tracing.span("work"), tracing.detail("part"):
        pass
    assert [spans.path(span) for span in spans.all] == [["work", "part"], ["work"]]


def test_work_goes_on_in_the_trace_whose_headers_came_along(spans: Spans) -> None:
    with tracing.span("here"):
        headers = tracing.headers()
    with tracing.continued("there", headers):
        pass
    (there,) = spans.named("there")
    assert spans.path(there) == ["here", "there"]


@pytest.mark.parametrize("headers", [{}, {"traceparent": "nonsense"}])
def test_work_that_came_without_a_trace_begins_one(spans: Spans, headers: dict[str, str]) -> None:
    with tracing.span("present"), tracing.continued("work", headers):
        pass
    (work,), (present,) = spans.named("work"), spans.named("present")
    assert work.parent is None
    assert trace_id(work) != trace_id(present)
    assert [link.context.span_id for link in work.links] == [span_id(present)]


def test_baggage_of_strangers_is_not_passed_on(spans: Spans) -> None:
    del spans
    with tracing.continued("work", {"baggage": "guest=anna"}):
        assert set(tracing.headers()) == {"traceparent"}


def test_an_error_and_its_cause_are_told_by_kind_and_place_alone(spans: Spans) -> None:
    def fails() -> None:
        try:
            int("anna@example.org")
        except ValueError as error:
            raise LookupError("no account for anna@example.org") from error

    with pytest.raises(LookupError, match="anna"), tracing.span("work"):
        fails()
    (work,) = spans.all
    (event,) = work.events
    stack = str((event.attributes or {})["exception.stacktrace"])
    assert "LookupError\ncaused by:\n" in stack
    assert stack.endswith("ValueError")
    assert "in fails" in stack
    assert work.status.description == "LookupError"


def test_log_lines_name_the_trace_they_belong_to(spans: Spans) -> None:
    logger = logging.getLogger("findme.test")
    with written_logs("json") as logged:
        logger.warning("before")
        with tracing.span("work"):
            logger.warning("within")
            structlog.get_logger("findme.test").warning("within, too")
    before, *within = map(json.loads, logged().splitlines())
    assert "trace_id" not in before
    (work,) = spans.all
    assert [one["trace_id"] for one in within] == [f"{trace_id(work):032x}"] * 2
    assert [one["span_id"] for one in within] == [f"{span_id(work):016x}"] * 2

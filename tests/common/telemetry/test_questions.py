"""Gauges of answers, when there are none any more."""

import math

import pytest
from prometheus_client import CollectorRegistry, Gauge

from libs.common.telemetry import metrics, questions
from libs.common.telemetry.questions import PATIENCE_SECONDS, Question


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(questions, "time", clock)
    return clock


@pytest.fixture
def gauge() -> Gauge:
    return Gauge("waiting", "What waits.", ["kind"], registry=CollectorRegistry())


def shown(gauge: Gauge) -> float:
    [sample] = next(iter(gauge.collect())).samples
    return sample.value


def current(question: str) -> float:
    [value] = [
        sample.value
        for metric in metrics.GAUGES_CURRENT.collect()
        for sample in metric.samples
        if sample.labels["question"] == question
    ]
    return value


def test_a_question_that_was_never_answered_is_not_current() -> None:
    Question("never answered")
    assert current("never answered") == 0


def test_an_answer_holds_until_the_next_one_is_overdue(clock: Clock, gauge: Gauge) -> None:
    question = Question("what waits")
    question.answer({gauge.labels("photo"): 3}, again_in_seconds=10)
    clock.now += 10 + PATIENCE_SECONDS
    assert (shown(gauge), current("what waits")) == (3, 1)
    clock.now += 0.1
    assert math.isnan(shown(gauge))
    assert current("what waits") == 0


def test_the_next_answer_is_shown_again(clock: Clock, gauge: Gauge) -> None:
    question = Question("what waits again")
    question.answer({gauge.labels("photo"): 3}, again_in_seconds=10)
    clock.now += 1000
    question.answer({gauge.labels("photo"): 0}, again_in_seconds=10)
    assert (shown(gauge), current("what waits again")) == (0, 1)


def test_an_answer_that_says_nothing_of_a_gauge_leaves_it_as_it_was(
    clock: Clock, gauge: Gauge
) -> None:
    question = Question("what else waits")
    question.answer({gauge.labels("photo"): 3}, again_in_seconds=10)
    question.answer({}, again_in_seconds=10)
    assert shown(gauge) == 3

"""A real Prometheus asks a real FindMe, and answers every question of dashboards and rules."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import promql
from tests.support.monitoring import expressions, panels
from tests.support.polling import eventually
from tests.support.prometheus import Prometheus, running_prometheus

#: Panels about what is not there (RabbitMQ, Rekognition), or has not happened (a failure).
MAY_BE_EMPTY = {
    "A call",
    "Calls",
    "Connections and channels",
    "Cost per hour",
    "Disk left",
    "Faults",
    "In hand",
    "Lanes: photos to analyse",
    "Match partitions",
    "Memory of the broker",
    "Objects removed",
    "Retries and dead letters on their way",
    "Waiting to be indexed again",
}


@pytest.fixture(scope="module")
def prometheus(used_findme: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder: Path = tmp_path_factory.mktemp("prometheus")
    with running_prometheus(folder, {"findme": f"{used_findme}/metrics"}) as server:
        yield server


async def test_every_question_is_answered_and_every_panel_shows_something(
    prometheus: Prometheus,
) -> None:
    await eventually(
        lambda: any(
            float(series["value"][1]) >= 3 for series in prometheus.query("count_over_time(up[1m])")
        ),
        poll_seconds=0.2,
    )
    asked = set(expressions().values())
    answers = {expr: prometheus.query(promql.filled_in(expr)) for expr in asked}
    empty = {
        panel["title"]
        for _, panel in panels()
        if not any(answers[target["expr"]] for target in panel["targets"])
    }
    assert empty <= MAY_BE_EMPTY


async def test_every_rule_is_evaluated_and_nothing_fires_on_a_system_that_works(
    prometheus: Prometheus,
) -> None:
    """A loaded machine may be late for a moment, which makes a rule pending: it must pass."""

    def amiss() -> list[str]:
        return [
            rule["name"]
            for rule in prometheus.rules()
            if rule["health"] != "ok" or rule.get("alerts")
        ]

    await eventually(lambda: not amiss(), poll_seconds=0.2, message=lambda: str(amiss()))

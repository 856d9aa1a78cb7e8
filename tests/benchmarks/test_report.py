import json

import pytest

from benchmarks.report import Goal, Report


@pytest.mark.parametrize(
    ("goal", "figure", "is_met"),
    [
        (Goal("<=", 10), 9.99, True),
        (Goal("<=", 10), 10, True),
        (Goal("<=", 10), 10.01, False),
        (Goal(">=", 0.9), 0.91, True),
        (Goal(">=", 0.9), 0.9, True),
        (Goal(">=", 0.9), 0.89, False),
        (Goal("<=", 0), 0, True),
        (Goal("<=", 0), 1, False),
    ],
)
def test_a_goal_is_met_on_its_side_and_on_the_line(goal: Goal, figure: float, is_met: bool) -> None:
    assert goal.met_by(figure) is is_met


def test_the_last_line_is_one_json_object_of_the_agreed_form() -> None:
    report = Report("bus", {"fast": Goal("<=", 10), "many": Goal(">=", 2000)})
    report.figures = {"fast": 4.5, "many": 1900, "no_goal": 1}
    line = report.as_json()
    assert "\n" not in line
    said = json.loads(line)
    assert said.keys() == {"name", "figures", "goals", "ok", "machine"}
    assert said["name"] == "bus"
    assert said["figures"] == {"fast": 4.5, "many": 1900, "no_goal": 1}
    assert said["goals"] == {
        "fast": {"op": "<=", "value": 10, "met": True},
        "many": {"op": ">=", "value": 2000, "met": False},
    }
    assert said["ok"] is False
    assert said["machine"]["cores"] >= 1


def test_a_report_is_ok_when_all_its_goals_are_met() -> None:
    report = Report("bus", {"fast": Goal("<=", 10)}, {"fast": 10})
    assert json.loads(report.as_json())["ok"] is True

import pytest

from benchmarks.report import Goal, Report
from benchmarks.results import Occasion, Outcome, parse_last_line, render, sections

OCCASION = Occasion(date="2026-11-20", commit="abc1234", is_quick=False)


def outcome(figure: float) -> Outcome:
    report = Report("bus", {"relay_per_second": Goal(">=", 2000)}, {"relay_per_second": figure})
    return Outcome("bus", 0.25, parse_last_line(f"a table for people\n{report.as_json()}\n"))


def test_the_results_name_date_commit_machine_and_load() -> None:
    written = render([outcome(4600)], OCCASION)
    assert "2026-11-20, commit abc1234." in written
    assert "cores" in written
    assert "Load average before: 0.2." in written


def test_a_goal_that_is_met_is_plain_and_one_that_is_missed_is_bold() -> None:
    assert "| relay_per_second | 4,600 | ≥ 2,000 |" in render([outcome(4600)], OCCASION)
    assert "| relay_per_second | **1,999** | ≥ 2,000 |" in render([outcome(1999)], OCCASION)


def test_a_figure_without_a_goal_stands_alone() -> None:
    report = Report("bus", {}, {"some_seconds": 1.5})
    written = render([Outcome("bus", 0, parse_last_line(report.as_json()))], OCCASION)
    assert "| some_seconds | 1.5 | |" in written


def test_a_benchmark_that_could_not_measure_is_named_beside_the_others() -> None:
    written = render([Outcome("scaling", 0, None), outcome(4600)], OCCASION)
    assert "Could not be measured." in sections(written)["scaling"]
    assert "4,600" in sections(written)["bus"]


def test_what_was_not_measured_now_stays_as_it_was_with_its_date() -> None:
    before = render([Outcome("scaling", 0, None), outcome(1999)], OCCASION)
    later = Occasion(date="2026-11-28", commit="def5678", is_quick=True)
    after = render([outcome(4600)], later, sections(before))
    assert list(sections(after)) == ["scaling", "bus"]
    assert sections(after)["scaling"] == sections(before)["scaling"]
    assert "1,999" not in after
    assert sections(after)["bus"].startswith("2026-11-28, commit def5678, the quick form.")
    assert render([], later, sections(after)) == after


def test_a_benchmark_that_could_not_measure_keeps_its_last_figures() -> None:
    before = render([outcome(1999)], OCCASION)
    later = Occasion(date="2026-11-28", commit="def5678", is_quick=False)
    after = render([Outcome("bus", 0, None), Outcome("scaling", 0, None)], later, sections(before))
    told = "\n\nCould not be measured on 2026-11-28."
    assert sections(after)["bus"] == sections(before)["bus"] + told
    assert "Could not be measured." in sections(after)["scaling"]


def test_quick_results_are_marked() -> None:
    quick = Occasion(date="2026-11-20", commit="abc1234", is_quick=True)
    assert "commit abc1234, the quick form." in render([outcome(1)], quick)


@pytest.mark.parametrize("output", ["", "killed", '{"name": "bus"}', "[1]"])
def test_output_without_a_report_is_refused(output: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's error is one
        parse_last_line(output)


def test_figures_of_rows_and_columns_are_a_table_of_their_own() -> None:
    goals = {"plain.wrong": Goal("<=", 0), "blurred.wrong": Goal("<=", 0)}
    figures = {"plain.found": 1.0, "plain.wrong": 0, "blurred.found": 0.25, "blurred.wrong": 2}
    report = Report("accuracy_hard", goals, figures)
    outcome = Outcome("accuracy_hard", 0, parse_last_line(report.as_json()))
    written = sections(render([outcome], OCCASION))
    lines = written["accuracy_hard"].splitlines()[2:]
    assert lines == [
        "| | found | wrong |",
        "|---|---:|---:|",
        "| plain | 1.0 | 0 (≤ 0) |",
        "| blurred | 0.25 | **2** (≤ 0) |",
    ]

"""What `benchmarks/RESULTS.md` says, from the last lines of the benchmarks. No IO."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_Goals = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One benchmark's run; `report` is its last line, None when it could not measure."""

    name: str
    #: The machine's load average (1 minute) just before: figures on a busy machine are worse.
    load: float
    report: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Occasion:
    """When, of what, and in which form it was measured."""

    date: str
    commit: str
    is_quick: bool


def parse_last_line(output: str) -> Mapping[str, Any]:
    """Return the report in a benchmark's output; raises ValueError when it has none."""
    lines = output.strip().splitlines()
    report = json.loads(lines[-1]) if lines else None
    if not isinstance(report, dict) or "figures" not in report:
        raise ValueError("the last line is not a report")
    return report


def sections(results: str) -> dict[str, str]:
    """Return what the file says of each benchmark, by its name."""
    parts = re.split(r"^## (\w+)\n", results, flags=re.MULTILINE)
    return {name: text.strip("\n") for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def render(
    outcomes: Sequence[Outcome], occasion: Occasion, kept: Mapping[str, str] | None = None
) -> str:
    """Return the whole file: what was measured now, and what is `kept` of everything else.

    A benchmark that could not measure keeps its last figures, with a word of it.
    """
    parts = dict(kept or {})
    for outcome in outcomes:
        if outcome.report is not None or outcome.name not in parts:
            parts[outcome.name] = _section(outcome, occasion)
        else:
            parts[outcome.name] += f"\n\nCould not be measured on {occasion.date}."
    head = (
        "# Results\n\n"
        "Written by `make bench`, or by `python -m benchmarks NAME ...` for those."
        " Goals that are missed are **bold**.\n"
    )
    return "\n".join([head, *(f"## {name}\n\n{text}\n" for name, text in parts.items())])


def _section(outcome: Outcome, occasion: Occasion) -> str:
    form = ", the quick form" if occasion.is_quick else ""
    measured = (
        f"{occasion.date}, commit {occasion.commit}{form}. Load average before: {outcome.load:.1f}."
    )
    if outcome.report is None:
        return f"{measured}\n\nCould not be measured."
    goals = outcome.report["goals"]
    figures = outcome.report["figures"]
    tables = _table(figures, goals) + _grid(figures, goals)
    return "\n".join([f"{measured} {_machine(outcome.report['machine'])}", *tables])


def _table(figures: Mapping[str, float], goals: _Goals) -> list[str]:
    rows = [_row(key, figure, goals.get(key)) for key, figure in figures.items() if "." not in key]
    return ["", "| figure | measured | goal |", "|---|---:|---:|", *rows] if rows else []


def _grid(figures: Mapping[str, float], goals: _Goals) -> list[str]:
    """A row for what is before the dot of a figure's key, a column for what is behind it."""
    rows: dict[str, dict[str, float]] = {}
    for key, figure in figures.items():
        row, dot, column = key.partition(".")
        if dot:
            rows.setdefault(row, {})[column] = figure
    columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
    if not rows:
        return []
    lines = [
        [name, *(_cell(cells.get(column), goals.get(f"{name}.{column}")) for column in columns)]
        for name, cells in rows.items()
    ]
    head = ["", f"| | {' | '.join(columns)} |", "|---" + "|---:" * len(columns) + "|"]
    return [*head, *(f"| {' | '.join(line)} |" for line in lines)]


def _cell(figure: float | None, goal: Mapping[str, Any] | None) -> str:
    if figure is None:
        return ""
    if goal is None:
        return f"{figure:,}"
    return f"{_measured(figure, goal)} ({_sign(goal)} {goal['value']:,})"


def _machine(machine: Mapping[str, Any]) -> str:
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB;"
        f" Python {machine['python']}, {machine['system']}."
    )


def _row(key: str, figure: float, goal: Mapping[str, Any] | None) -> str:
    if goal is None:
        return f"| {key} | {figure:,} | |"
    return f"| {key} | {_measured(figure, goal)} | {_sign(goal)} {goal['value']:,} |"


def _measured(figure: float, goal: Mapping[str, Any]) -> str:
    # As measured: a rounded figure could look as if it had missed or reached its goal.
    return f"{figure:,}" if goal["met"] else f"**{figure:,}**"


def _sign(goal: Mapping[str, Any]) -> str:
    return "≤" if goal["op"] == "<=" else "≥"

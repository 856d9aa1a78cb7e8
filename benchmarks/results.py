"""What `benchmarks/RESULTS.md` says, from the last lines of the benchmarks. No IO."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


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


def render(outcomes: Sequence[Outcome], occasion: Occasion) -> str:
    """Return the whole file."""
    form = ", the quick form" if occasion.is_quick else ""
    parts = [
        "# Results\n",
        "Written by `make bench`; `python -m benchmarks.<name>` measures one. Goals that are"
        " missed are **bold**.\n",
        f"{occasion.date}, commit {occasion.commit}{form}.",
        *(line for line in [_machine(outcomes)] if line),
    ]
    return "\n".join([*parts, *map(_section, outcomes)])


def _machine(outcomes: Sequence[Outcome]) -> str | None:
    machine = next((outcome.report["machine"] for outcome in outcomes if outcome.report), None)
    if machine is None:
        return None
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB;"
        f" Python {machine['python']}, {machine['system']}."
    )


def _section(outcome: Outcome) -> str:
    heading = f"\n## {outcome.name}\n"
    if outcome.report is None:
        return f"{heading}\nCould not be measured.\n"
    goals = outcome.report["goals"]
    rows = [_row(key, figure, goals.get(key)) for key, figure in outcome.report["figures"].items()]
    table = "\n".join(["| figure | measured | goal |", "|---|---:|---:|", *rows])
    return f"{heading}\nLoad average before: {outcome.load:.1f}.\n\n{table}\n"


def _row(key: str, figure: float, goal: Mapping[str, Any] | None) -> str:
    # As measured: a rounded figure could look as if it had missed or reached its goal.
    measured = f"{figure:,}"
    if goal is None:
        return f"| {key} | {measured} | |"
    sign = "≤" if goal["op"] == "<=" else "≥"
    mark = measured if goal["met"] else f"**{measured}**"
    return f"| {key} | {mark} | {sign} {goal['value']:,} |"

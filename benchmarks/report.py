"""The form of every benchmark: a table for people, and one JSON object as the last line."""

import argparse
import json
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil
from rich.console import Console
from rich.table import Table

Value = float | int


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure's goal."""

    op: Literal["<=", ">="]
    value: Value

    def met_by(self, figure: Value) -> bool:
        """Whether the figure reaches the goal."""
        return figure <= self.value if self.op == "<=" else figure >= self.value


@dataclass(slots=True)
class Report:
    """What one benchmark measured."""

    name: str
    goals: dict[str, Goal]
    figures: dict[str, Value] = field(default_factory=dict)

    def as_json(self) -> str:
        """Return the report as one line."""
        goals = {
            key: {"op": goal.op, "value": goal.value, "met": goal.met_by(self.figures[key])}
            for key, goal in self.goals.items()
            if key in self.figures
        }
        return json.dumps(
            {
                "name": self.name,
                "figures": self.figures,
                "goals": goals,
                "ok": all(goal["met"] for goal in goals.values()),
                "machine": machine(),
            }
        )

    def print_table(self, console: Console) -> None:
        """Print the figures beside their goals."""
        table = Table(title=self.name, title_justify="left")
        for heading in ("figure", "measured", "goal"):
            table.add_column(heading, justify="left" if heading == "figure" else "right")
        for key, figure in self.figures.items():
            goal = self.goals.get(key)
            mark = "" if goal is None else f"{goal.op} {goal.value}"
            style = None if goal is None or goal.met_by(figure) else "red"
            table.add_row(key, f"{figure:.4g}", mark, style=style)
        console.print(table)


def machine() -> dict[str, object]:
    """Return what the figures depend on."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), "?")


def main(measure: Callable[[bool], Report]) -> None:
    """Parse `--quick` and `--json FILE`, measure, print. Any exception ends with status 1."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="smaller data, within a minute")
    parser.add_argument("--json", type=Path, help="write the last line there too")
    arguments = parser.parse_args()
    finish(measure(arguments.quick), arguments.json)


def finish(report: Report, file: Path | None) -> None:
    """Print the table and, last, the report's line; write it to the file too."""
    report.print_table(Console())
    line = report.as_json()
    if file:
        file.write_text(line + "\n")
    print(line)

"""Run every benchmark, each in a process of its own, and write benchmarks/RESULTS.md.

python -m benchmarks [--quick] [NAME ...]
"""

import argparse
import importlib
import os
import pkgutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import benchmarks
from benchmarks.results import Occasion, Outcome, parse_last_line, render

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "RESULTS.md"


def benchmark_names() -> list[str]:
    """The modules of this package that measure something."""
    return [
        module.name
        for module in pkgutil.iter_modules(benchmarks.__path__)
        if module.name != "__main__"
        and hasattr(importlib.import_module(f"benchmarks.{module.name}"), "measure")
    ]


def run(name: str, *, quick: bool) -> Outcome:
    """Run one benchmark; what it prints is shown as it comes."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        last_line = Path(folder) / "last-line.json"
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(last_line)]
        if quick:
            command.append("--quick")
        code = subprocess.run(command, check=False).returncode
        report = parse_last_line(last_line.read_text()) if code == 0 else None
    return Outcome(name, load, report)


def main() -> int:
    """Return 1 when one could not measure; a missed goal is a measurement like others."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="each on smaller data")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these (all)")
    arguments = parser.parse_args()
    occasion = Occasion(
        date=datetime.now(UTC).date().isoformat(),
        commit=_commit(),
        is_quick=arguments.quick,
    )
    outcomes = [run(name, quick=arguments.quick) for name in arguments.names or benchmark_names()]
    RESULTS.write_text(render(outcomes, occasion))
    print(f"\nwritten: {RESULTS}")
    return int(any(outcome.report is None for outcome in outcomes))


def _commit() -> str:
    """The commit that is checked out, and whether files differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=FOLDER, check=True, capture_output=True, text=True
        ).stdout.strip()

    try:
        # The results themselves are no part of what was measured.
        changes = git("status", "--porcelain", "--untracked-files=no", "--", ":/", f":!{RESULTS}")
        return git("rev-parse", "--short", "HEAD") + (" with changes" if changes else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())

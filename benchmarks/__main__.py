"""Run benchmarks, each in a process of its own, and write benchmarks/RESULTS.md.

What is not run, or cannot measure, keeps its last figures.

python -m benchmarks [--quick] [NAME ...]; accuracy_hard is `benchmarks.accuracy --hard`.
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
from benchmarks.results import Occasion, Outcome, parse_last_line, render, sections

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "RESULTS.md"

#: Another form of a benchmark that has results of its own, and the option that asks for it.
FORMS = {"accuracy_hard": ("accuracy", "--hard")}


def benchmark_names() -> list[str]:
    """The modules of this package that measure something, and their other forms."""
    modules = [
        module.name
        for module in pkgutil.iter_modules(benchmarks.__path__)
        if module.name != "__main__"
        and hasattr(importlib.import_module(f"benchmarks.{module.name}"), "measure")
    ]
    return [*modules, *FORMS]


def run(name: str, *, quick: bool) -> Outcome:
    """Run one benchmark; what it prints is shown as it comes."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        last_line = Path(folder) / "last-line.json"
        module, *options = FORMS.get(name, (name,))
        command = [sys.executable, "-m", f"benchmarks.{module}", *options]
        command += ["--json", str(last_line)]
        if quick:
            command.append("--quick")
        code = subprocess.run(command, check=False).returncode
        report = parse_last_line(last_line.read_text()) if code == 0 else None
    return Outcome(name, load, report)


def main() -> int:
    """Return 1 when one could not measure; a missed goal is a measurement like others."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="each on smaller data")
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="only these (all)",
    )
    arguments = parser.parse_args()
    occasion = Occasion(
        date=datetime.now(UTC).date().isoformat(),
        commit=_commit(),
        is_quick=arguments.quick,
    )
    known = benchmark_names()
    if unknown := set(arguments.names) - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    old = sections(RESULTS.read_text()) if RESULTS.exists() else {}
    kept = {name: section for name, section in old.items() if name in known}
    outcomes = []
    for name in arguments.names or known:
        outcomes.append(run(name, quick=arguments.quick))
        # After each: they take an hour.
        RESULTS.write_text(render(outcomes, occasion, kept))
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

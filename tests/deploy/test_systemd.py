"""The units for systemd name commands, options and files that exist."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from cli.app import app
from tests.support.polling import PATIENCE_SECONDS

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("findme*"))


def commands() -> list[str]:
    return [
        line.partition("=")[2]
        for unit in UNITS
        for line in unit.read_text().splitlines()
        if line.startswith("ExecStart=")
    ]


@pytest.mark.parametrize("line", commands())
def test_a_unit_starts_a_command_that_exists_with_its_options(line: str) -> None:
    program, name, *words = shlex.split(line)
    assert program == "/opt/findme/.venv/bin/findme"
    command = getattr(typer.main.get_command(app), "commands")[name]  # noqa: B009 - of a group
    command.make_context(name, words)  # raises for an option that is not there


def test_findme_is_given_the_time_that_its_end_takes() -> None:
    unit = (FOLDER / "findme.service").read_text()
    found = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert found is not None
    assert int(found[1]) > 45
    # Its PostgreSQL is not for systemd to stop: it would go before those who write to it.
    assert "KillMode=mixed" in unit


def test_systemd_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    for unit in UNITS:
        # What they start is not installed where tests run.
        text = unit.read_text().replace("/opt/findme/.venv/bin/findme", "/bin/true")
        (tmp_path / unit.name).write_text(text.replace("file:/opt", "file:/tmp"))
    checked = subprocess.run(
        [program, "verify", *sorted(map(str, tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    told = [line for line in checked.stderr.splitlines() if str(tmp_path) in line]
    assert told == []

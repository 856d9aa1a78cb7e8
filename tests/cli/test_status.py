import os
import subprocess
import sys
from pathlib import Path

from tests.support.polling import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]


def findme(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


def test_a_command_on_a_named_database_needs_no_data_folder(
    database_url: str, tmp_path: Path
) -> None:
    """The folder that it would make is read-only in a container."""
    shown = findme("status", folder=tmp_path, DATABASE_URL=database_url)
    assert shown.returncode == 0, shown.stderr
    assert "photos done" in shown.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_secret_file_that_is_missing_is_named_in_one_sentence(tmp_path: Path) -> None:
    shown = findme("status", folder=tmp_path, DATABASE_URL_FILE="/nowhere/database_url")
    assert shown.returncode == 1
    assert "DATABASE_URL_FILE: cannot read /nowhere/database_url" in shown.stderr
    assert "Traceback" not in shown.stderr

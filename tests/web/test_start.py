"""The first start in a browser: FindMe at a terminal, which prints the token."""

import re
from pathlib import Path

import pytest

from tests.support.node import run_spec
from tests.support.small_event import PASSWORD
from tests.support.terminal import at_a_terminal
from tests.web.findme import FEW_PHOTOS

TIMEOUT_SECONDS = 500
_PRINTED = re.compile(r"at (http://[\d.:]+)/start with the setup token ([0-9a-f]{32}) ")


def test_whoever_starts_findme_makes_the_first_admin_and_event(
    chromium: str, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in FEW_PHOTOS.items():
        monkeypatch.setenv(name, value)
    with at_a_terminal(data_dir) as shown:
        found = _PRINTED.search(shown)
        assert found is not None, shown
        url, token = found.groups()
        scene = {
            "url": url,
            "setupToken": token,
            "admin": {"username": "boss", "password": PASSWORD},
            "camera": str(tmp_path / "none.mjpeg"),
            "chromium": chromium,
        }
        run_spec("start", scene, timeout_seconds=TIMEOUT_SECONDS)

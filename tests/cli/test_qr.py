"""A QR code at the terminal is read by what reads QR codes."""

import io

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from rich.console import Console

from cli import qr

URL = "https://photos.example.org:8443/e/GALA2026"
#: Half blocks, as (upper, lower) is light.
LIGHT = {"█": (255, 255), "▀": (255, 0), "▄": (0, 255), " ": (0, 0)}


def photographed(lines: list[str]) -> npt.NDArray[np.uint8]:
    """What a camera sees of the lines, ten pixels a module, beside a dark desk."""
    rows = [
        [LIGHT[character][half] for character in line.removeprefix("  ")]
        for line in lines
        for half in (0, 1)
    ]
    picture = np.repeat(np.repeat(np.array(rows, np.uint8), 10, axis=0), 10, axis=1)
    return np.pad(picture, 40, constant_values=60)


def test_a_phone_reads_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    screen = io.StringIO()
    qr.print_qr(URL, Console(file=screen, width=40))
    found, _, _ = cv2.QRCodeDetector().detectAndDecode(photographed(screen.getvalue().splitlines()))
    assert found == URL


def test_a_log_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    screen = io.StringIO()
    qr.print_qr(URL, Console(file=screen))
    assert screen.getvalue() == ""

"""Processes on a machine whose clock is wrong."""

import os
from pathlib import Path

_SITE = Path(__file__).with_name("other_clock")


def clock_ahead(seconds: float) -> dict[str, str]:
    """What a Python process's environment needs for its clock to be so far ahead, or behind."""
    path = [str(_SITE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(path), "CLOCK_AHEAD_SECONDS": str(seconds)}

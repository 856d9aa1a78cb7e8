"""Gauges of what a background task asks again and again, which say so when nobody answers.

A gauge keeps its last value. One that is only set by answers therefore shows "0 waiting" for as
long as the database is silent, and no alert on its value can fire.
"""

import math
import time
from collections.abc import Mapping

from prometheus_client import Gauge

from libs.common.telemetry import metrics

#: An answer holds until the next one is due, and so much longer.
PATIENCE_SECONDS = 30.0


class Question:
    """What one task asks, and the gauges that show its last answer; NaN once that is too old."""

    def __init__(self, name: str) -> None:
        """`name` tells the question in `findme_gauges_current`."""
        self._values: dict[Gauge, float] = {}
        self._holds_until = -math.inf
        metrics.GAUGES_CURRENT.labels(name).set_function(lambda: float(self.is_current))

    @property
    def is_current(self) -> bool:
        """Whether the last answer still holds."""
        return time.monotonic() <= self._holds_until

    def answer(self, values: Mapping[Gauge, float], *, again_in_seconds: float) -> None:
        """Show the values until the next answer, which is to come in that time."""
        self._holds_until = time.monotonic() + again_in_seconds + PATIENCE_SECONDS
        for gauge in values.keys() - self._values.keys():
            self._show(gauge)
        self._values |= values

    def _show(self, gauge: Gauge) -> None:
        gauge.set_function(lambda: self._values[gauge] if self.is_current else math.nan)

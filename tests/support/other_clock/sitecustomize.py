"""Loaded by every interpreter that has this folder on its path: gives it another clock.

What asks for the time of day gets it shifted by CLOCK_AHEAD_SECONDS: `time.time`, and `datetime`,
which reads the system's clock by itself. Its own class is changed, as no other will do: drivers
make and compare instances of exactly that one. Monotonic clocks run on as they are.
"""

import ctypes
import gc
import os
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

_AHEAD = timedelta(seconds=float(os.environ["CLOCK_AHEAD_SECONDS"]))
_AHEAD_NS = int(_AHEAD / timedelta(microseconds=1)) * 1000


def _shift_time() -> None:
    real_time, real_time_ns = time.time, time.time_ns
    time.time = lambda: real_time() + _AHEAD.total_seconds()
    time.time_ns = lambda: real_time_ns() + _AHEAD_NS


def _shift_datetime() -> None:
    real_now = datetime.now

    def now(_: type[datetime], tz: tzinfo | None = None) -> datetime:
        return real_now(tz) + _AHEAD

    def utcnow(_: type[datetime]) -> datetime:
        return real_now(UTC).replace(tzinfo=None) + _AHEAD

    def today(_: type[date]) -> date:
        return (real_now() + _AHEAD).date()

    _replace(datetime, now=now, utcnow=utcnow, today=now)
    _replace(date, today=today)


def _replace(kind: type, **methods: Callable[..., Any]) -> None:
    """Replace class methods of a class that is written in C."""
    (members,) = gc.get_referents(vars(kind))
    for name, method in methods.items():
        members[name] = classmethod(method)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))


_shift_time()
_shift_datetime()

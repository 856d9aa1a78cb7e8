"""Waiting in tests: a bounded poll on a condition, never a sleep of a guessed length."""

import asyncio
import inspect
import time
from collections.abc import Callable

POLL_SECONDS = 0.02
#: Whoever waits long asks less often: what is asked costs the time of what is waited for.
POLL_SHARE = 0.05
LONGEST_POLL_SECONDS = 0.2
#: Many times what anything takes on an idle machine: it ends tests that would hang, and no others.
PATIENCE_SECONDS = 120.0


async def eventually(
    condition: Callable[[], object],
    *,
    timeout: float = PATIENCE_SECONDS,
    poll_seconds: float = POLL_SECONDS,
    message: str | Callable[[], str] = "the condition never became true",
) -> None:
    """Poll `condition` (plain or async) until it is truthy, `poll_seconds` apart at first.

    Fails the test with `message` after `timeout` seconds.
    """
    began = time.monotonic()
    while True:
        outcome = condition()
        value = await outcome if inspect.isawaitable(outcome) else outcome
        if value:
            return
        waited = time.monotonic() - began
        if waited > timeout:
            text = message if isinstance(message, str) else message()
            raise AssertionError(f"{text} (waited {timeout:g} s)")
        await asyncio.sleep(max(poll_seconds, min(POLL_SHARE * waited, LONGEST_POLL_SECONDS)))

"""Waiting in tests: a bounded poll on a condition, never a sleep of a guessed length."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

POLL_SECONDS = 0.02

T = TypeVar("T")


async def eventually(
    condition: Callable[[], T | Awaitable[T]],
    *,
    timeout: float = 10.0,  # noqa: ASYNC109 - a poll, not a cancellation: the message says what was awaited
    message: str | Callable[[], str] = "the condition never became true",
) -> T:
    """Poll `condition` (plain or async) until it is truthy, and return what it gave.

    Fails the test with `message` after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        outcome = condition()
        value = await outcome if inspect.isawaitable(outcome) else outcome
        if value:
            return value
        if time.monotonic() > deadline:
            text = message if isinstance(message, str) else message()
            raise AssertionError(f"{text} (waited {timeout:g} s)")
        await asyncio.sleep(POLL_SECONDS)

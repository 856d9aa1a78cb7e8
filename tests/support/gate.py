"""Holds a function of the code under test at its call or at its end, to let something else race."""

import asyncio
from typing import Any

import pytest


class Gate:
    """Holds calls of `name`, a function of a module or a class, until it is opened."""

    def __init__(
        self, patch: pytest.MonkeyPatch, owner: object, name: str, *, after: bool = False
    ) -> None:
        self._original = getattr(owner, name)
        self._after = after
        self._is_open = asyncio.Event()
        #: Somebody is held.
        self.reached = asyncio.Event()
        #: Nobody is in the function any more.
        self.passed = asyncio.Event()
        self._inside = 0

        # A function, not a method of ours: where a class is patched it gets the instance.
        async def held(*args: Any, **options: Any) -> Any:
            return await self._held(*args, **options)

        patch.setattr(owner, name, held)

    async def _held(self, *args: Any, **options: Any) -> Any:
        self._inside += 1
        self.passed.clear()
        try:
            if not self._after:
                await self._wait()
            result = await self._original(*args, **options)
            if self._after:
                await self._wait()
            return result
        finally:
            self._inside -= 1
            if not self._inside:
                self.passed.set()

    async def _wait(self) -> None:
        self.reached.set()
        await self._is_open.wait()

    def open(self) -> None:
        """Let everybody pass, from now on."""
        self._is_open.set()

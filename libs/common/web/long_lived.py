"""Keeps the collector of garbage from looking, again and again, through what stays.

Of 1,500 live streams a collection took 70 to 150 ms, in which nobody is answered, and one came
every twenty seconds. After one that took long what is left is frozen (`gc.freeze`): later ones look
through what came since. What was frozen, and has become garbage that only the collector finds, is
looked for once in ten minutes.
"""

import asyncio
import gc
import time
from collections.abc import Mapping
from typing import Any, Final

#: Of a collection; the loop's turns are to be shorter.
LONG_SECONDS: Final = 0.02
LOOK_AGAIN_SECONDS: Final = 600.0
_OLDEST: Final = 2


class LongLived:
    """Of one process, for as long as its loop runs."""

    def __init__(self) -> None:
        """Freeze what there is: the modules and the application, some 300,000 objects."""
        gc.collect()
        gc.freeze()
        self._loop = asyncio.get_running_loop()
        self._began = 0.0
        self._again: asyncio.TimerHandle | None = None
        gc.callbacks.append(self._note)

    def close(self) -> None:
        """Freeze nothing more."""
        gc.callbacks.remove(self._note)
        if self._again is not None:
            self._again.cancel()

    def _note(self, phase: str, info: Mapping[str, Any]) -> None:
        # Called wherever memory is asked for, in any thread.
        if info["generation"] != _OLDEST:
            return
        if phase == "start":
            self._began = time.perf_counter()
        elif time.perf_counter() - self._began > LONG_SECONDS and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._freeze)

    def _freeze(self) -> None:
        gc.freeze()
        if self._again is None:
            self._again = self._loop.call_later(LOOK_AGAIN_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._again = None
        gc.unfreeze()
        gc.collect()
        gc.freeze()

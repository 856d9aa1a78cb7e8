"""How many selfies wait here to be checked, guests' and visitors' apart: as many as have room.

They are files meanwhile. Whose turn it is among them and the photos, the workers' line says.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from libs.common.errors import Unavailable
from libs.common.settings import MEGABYTE
from libs.common.workers.line import Share
from services.recognition.engine.workers import SELFIES, VISITORS, EnginePool

#: Of each kind: some hundreds of what phones send, and still some seconds of the largest.
MAX_BYTES: Final = 96 * MEGABYTE
#: Nobody waits for longer: the one who asks gives up a little later (FACE_CHECK_SECONDS of ingest).
PATIENCE_SECONDS: Final = 25.0
TOO_MANY: Final = "Too many selfies are being checked at this moment. Try again in {} seconds."


class CheckLines:
    """The selfies that are being checked, or wait for it."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool
        self._bytes = {SELFIES: 0, VISITORS: 0}

    @contextmanager
    def place(self, share: Share, size_bytes: int) -> Iterator[None]:
        """Have the room of a selfie for the length of the block.

        Raises Unavailable, with how long the line is, where there is none or the wait is too long.
        """
        wait_seconds = self._pool.wait_seconds(share)
        is_full = self._bytes[share] + size_bytes > MAX_BYTES
        if is_full or wait_seconds > PATIENCE_SECONDS:
            seconds = max(1, math.ceil(wait_seconds))
            raise Unavailable(TOO_MANY.format(seconds), retry_after_seconds=seconds)
        self._bytes[share] += size_bytes
        try:
            yield
        finally:
            self._bytes[share] -= size_bytes

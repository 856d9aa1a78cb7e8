"""A GIF's logical screen (GIF89a specification, 18)."""

import struct
from typing import Final

from libs.common.images.reading.steps import Found, Steps, exactly

_SCREEN_AT: Final = 6


def parse() -> Steps[Found]:
    """Return its size; raises CutOff."""
    width, height = struct.unpack_from("<HH", (yield from exactly(_SCREEN_AT, 7)))
    return Found(width, height)

"""The sizes of renditions."""

import math
from typing import Final

#: Longest side of each rendition by its name, in pixels; of panoramas, see `long_side`.
SIDES_PX: Final = {"thumbnail": 400, "preview": 1600}
#: Pictures that are longer are panoramas, by length to width.
_WIDE: Final = 2.0
#: How many times as many pixels a panorama's rendition has at most as one of 2:1.
_MOST_PIXELS: Final = 3.0
_WEBP_MAX_SIDE_PX: Final = 16_383


def long_side(width: int, height: int, side_px: int) -> int:
    """Return how long the longer side of a rendition may be, whose usual one is `side_px`.

    A panorama's is as high as one of 2:1, and longer: within the usual side, the faces in it would
    be a dozen pixels high. From 6:1 on its pixels are bounded.
    """
    longer = max(width, height) / max(1, min(width, height)) / _WIDE
    if longer <= 1:
        return side_px
    wanted = round(side_px * min(longer, math.sqrt(_MOST_PIXELS * longer)))
    return min(wanted, max(side_px, _WEBP_MAX_SIDE_PX))

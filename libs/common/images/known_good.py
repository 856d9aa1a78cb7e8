"""A picture that every healthy process can decode, by which a sick one is known."""

from pathlib import Path
from typing import Final

#: A JPEG of 1600 x 1200 pixels, the size that analysis works on: a larger one is no better proof
#: (whether there is room for large ones is asked apart) and costs several times as much.
KNOWN_GOOD: Final = Path(__file__).with_name("known_good.jpg")
KNOWN_GOOD_PIXELS: Final = 1600 * 1200

"""The rush's photos and selfies: composed ones, each sent with bytes of its own."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from demo.scenes import GUESTS, event, selfie, write_event

SEED = 12
#: So many are drawn, and sent again and again with another comment: nobody reads the pixels twice.
DRAWN = 40
CACHE = Path(tempfile.gettempdir()) / "findme-benchmark-rush"
_COMMENT = 0xFE


@dataclass(frozen=True, slots=True)
class Pictures:
    """JPEGs that are valid once they are stamped."""

    photos: list[bytes]
    selfies: list[bytes]

    def photo(self, number: int) -> bytes:
        """The photo of that number, like no other."""
        return _stamped(self.photos[number % len(self.photos)], f"photo {number}")

    def selfie(self, number: int) -> bytes:
        """The selfie of that guest, like no other."""
        return _stamped(self.selfies[number % len(self.selfies)], f"selfie {number}")


def draw_pictures() -> Pictures:
    """Draw what is not kept from the last run."""
    CACHE.mkdir(exist_ok=True)
    plan = event(SEED, photos=DRAWN, guests=len(GUESTS))
    photos = write_event(plan, CACHE, progress=lambda _done, _all: None)
    return Pictures(
        [path.read_bytes() for path in photos],
        [selfie(guest, SEED) for guest in plan.guests],
    )


def _stamped(jpeg: bytes, text: str) -> bytes:
    """With a comment after the first marker."""
    comment = text.encode()
    segment = bytes([0xFF, _COMMENT]) + (len(comment) + 2).to_bytes(2) + comment
    return jpeg[:2] + segment + jpeg[2:]

"""Which photo, and which form of it, an object key of a signed URL means."""

import re
from dataclasses import dataclass

from libs.common.storage import keys

#: Longest side of each rendition, in pixels.
RENDITION_SIDES_PX = {"thumbnail": 400, "preview": 1600}

_ORIGINAL = re.compile(r"events/([1-9][0-9]{0,17})/photos/([^/]+)", re.ASCII)
_RENDITION = re.compile(
    rf"events/([1-9][0-9]{{0,17}})/renditions/([^/]+)/({'|'.join(RENDITION_SIDES_PX)})\.webp",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Original:
    """A photo as it was uploaded."""

    event_id: int
    filename: str

    @property
    def key(self) -> str:
        """Where it lies in the store."""
        return keys.photo_key(self.event_id, self.filename)


@dataclass(frozen=True, slots=True)
class Rendition:
    """A photo made smaller; `name` is one of RENDITION_SIDES_PX."""

    original: Original
    name: str

    @property
    def key(self) -> str:
        """Where it lies in the store once it was made."""
        return keys.rendition_key(self.original.event_id, self.original.filename, self.name)

    @property
    def failure_key(self) -> str:
        """Where it is noted that it could not be made."""
        return keys.failed_rendition_key(self.original.event_id, self.original.filename, self.name)

    @property
    def longest_side_px(self) -> int:
        """Its size; a smaller original is not enlarged."""
        return RENDITION_SIDES_PX[self.name]


def parse(key: str) -> Original | Rendition | None:
    """Return what the key means, None when it is neither."""
    if found := _ORIGINAL.fullmatch(key):
        return Original(int(found[1]), found[2])
    if found := _RENDITION.fullmatch(key):
        return Rendition(Original(int(found[1]), found[2]), found[3])
    return None

"""Which photo, and which form of it, an object key of a signed URL means."""

import re
from dataclasses import dataclass
from functools import lru_cache

from libs.common.images.sizes import SIDES_PX
from libs.common.storage import keys
from services.media.stripping.pieces import RULES

_ORIGINAL = re.compile(r"events/([1-9][0-9]{0,17})/photos/([^/]+)", re.ASCII)
_RENDITION = re.compile(
    rf"events/([1-9][0-9]{{0,17}})/renditions/([^/]+)/({'|'.join(SIDES_PX)})\.webp",
    re.ASCII,
)

_GUEST_COPY = re.compile(
    r"events/([1-9][0-9]{0,17})/renditions/([^/]+)/guest-copy",
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
    """A photo made smaller; `name` is one of SIDES_PX."""

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
        """Its longer side, a panorama's aside; a smaller original is not enlarged."""
        return SIDES_PX[self.name]


@dataclass(frozen=True, slots=True)
class GuestCopy:
    """A photo as guests get it: the original in pieces, which are noted beside its renditions."""

    original: Original
    name: str = "guest-copy"

    @property
    def key(self) -> str:
        """Where its pieces are noted once they are known."""
        return self._key("json")

    @property
    def picture_key(self) -> str:
        """Where it lies itself, if the original cannot be had without what is not for guests."""
        return self._key("jpg")

    @property
    def failure_key(self) -> str:
        """Where it is noted that it could not be made."""
        return self._key("failed.json")

    def _key(self, extension: str) -> str:
        key = keys.guest_copy_key(self.original.event_id, self.original.filename)
        return f"{key}.{RULES}.{extension}"


#: What is made of an original when it is first asked for.
Made = Rendition | GuestCopy


@lru_cache(10_000)
def parse(key: str) -> Original | Rendition | GuestCopy | None:
    """Return what the key means, None when it is none of them."""
    if found := _ORIGINAL.fullmatch(key):
        return Original(int(found[1]), found[2])
    if found := _RENDITION.fullmatch(key):
        return Rendition(Original(int(found[1]), found[2]), found[3])
    if found := _GUEST_COPY.fullmatch(key):
        return GuestCopy(Original(int(found[1]), found[2]))
    return None

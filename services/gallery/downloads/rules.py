"""Which photos can be taken along at once, how, and for how long a link is good."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from libs.common.errors import InvalidInput, NotAllowed
from libs.common.photo_downloads import Folders
from libs.common.web.auth import Role

#: Photos that are named one by one: what somebody can choose by hand.
MAX_SELECTED: Final = 5000
#: Photos of one archive. More are taken along in parts, as no download of terabytes ends.
MAX_PHOTOS: Final = 100_000
#: A phone fetches 10 GB by night; whoever takes longer asks for a new link.
LIFETIME: Final = timedelta(hours=24)
#: Downloads of one account that are kept; the ones before end with the next.
MAX_KEPT: Final = 20


class Which(StrEnum):
    """Which photos of an event."""

    MINE = "mine"
    ALL = "all"
    SELECTED = "selected"


def require_may_ask(which: Which, role: Role) -> None:
    """Guests ask for what shows them, or choose; all is for who runs the event. Raises NotAllowed.

    So a guest sees what they take along.
    """
    if which is Which.MINE and role is not Role.PARTICIPANT:
        msg = "No photos are of you: a guest's photos are found by their selfie. Ask for all."
        raise NotAllowed(msg)
    if which is Which.ALL and role is Role.PARTICIPANT:
        msg = "All photos are for who runs the event. Choose those that you want, by photo_ids."
        raise NotAllowed(msg)


def require_not_too_many(count: int) -> None:
    """Raises InvalidInput."""
    if count > MAX_PHOTOS:
        msg = f"An archive has at most {MAX_PHOTOS:,} photos. Choose some of them."
        raise InvalidInput(msg)


def link_end(now: datetime, ends_at: datetime, role: Role) -> datetime:
    """Return until when a link is good: a guest's no longer than the event is open to them."""
    end = now + LIFETIME
    return min(end, ends_at) if role is Role.PARTICIPANT else end


def digest(event_id: int, folders: Folders, photo_ids: Sequence[int]) -> bytes:
    """Return what is the same for the same photos in the same folders."""
    told = f"{event_id}:{folders}:{','.join(map(str, photo_ids))}"
    return hashlib.sha256(told.encode()).digest()

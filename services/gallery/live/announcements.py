"""What the streams of an event are told of a message, each according to who watches."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field

import orjson

from libs.common.messaging.messages import (
    AccountDeleted,
    EventChanged,
    EventDeleted,
    MatchChanged,
    Message,
    PhotoDeleted,
    PhotoFailed,
    PhotoMatched,
    PhotoUploaded,
    PhotoVisibilityChanged,
    SelfieMatched,
)
from libs.common.web.piece_writing import Piece


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who watches an event: a participant, or somebody who runs it and sees all progress."""

    user_id: int
    runs_event: bool
    #: The login that they watch by.
    session_id: uuid.UUID | None = None
    #: They see the event only while it is theirs; admins see all.
    is_photographer: bool = False


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event of a stream; `data` becomes a JSON object."""

    name: str
    data: dict[str, object]
    #: As it is sent (WHATWG HTML, section 9.2.6): to hundreds of streams, and encoded once.
    piece: Piece = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Encode it."""
        block = b"event: %s\ndata: %s\n\n" % (self.name.encode(), orjson.dumps(self.data))
        object.__setattr__(self, "piece", Piece(block))


#: Something may have been missed: the client loads its lists anew.
GAP = LiveEvent("gap", {})
#: The event is over; nothing follows.
EXPIRED = LiveEvent("expired", {})


class Announcement:
    """What the streams of an event are told of a message; made once for all of them.

    Guests hear of a photo only if they may see it, or could before. Who could is in the message, as
    whoever sent it knew by `libs.common.rights.photos`.
    """

    def __init__(self, message: Message) -> None:
        self._message = message
        self._guests = _guests(message)
        self._made: dict[bool, LiveEvent | None] = {}

    @property
    def is_personal(self) -> bool:
        """Whether it is about some guests' own photos, who should not wait for what all hear."""
        return bool(self._guests)

    def to(self, viewer: Viewer) -> LiveEvent | None:
        """Return what this viewer is told, None when it is not for them."""
        if not self._is_for(viewer):
            return None
        if viewer.runs_event not in self._made:
            self._made[viewer.runs_event] = _event(self._message, runs_event=viewer.runs_event)
        return self._made[viewer.runs_event]

    def _is_for(self, viewer: Viewer) -> bool:
        if viewer.runs_event and not isinstance(self._message, SelfieMatched):
            return True
        return self._guests is None or viewer.user_id in self._guests


def _guests(message: Message) -> Collection[int] | None:
    """Return who hears of it, None for all: looked up for hundreds of streams."""
    match message:
        case SelfieMatched(user_id=user_id):
            return (user_id,)
        case PhotoUploaded() | PhotoVisibilityChanged():
            return None if message.seen_by_all else ()
        case PhotoDeleted(user_ids=user_ids):
            return None if message.seen_by_all else frozenset(user_ids)
        case PhotoMatched(user_ids=user_ids):
            return frozenset(user_ids)
        case MatchChanged(user_ids=user_ids):
            return None if user_ids is None else frozenset(user_ids)
        case EventChanged() | EventDeleted():
            return None
        case _:
            return ()


def _event(message: Message, *, runs_event: bool) -> LiveEvent | None:
    match message:
        case PhotoUploaded() | PhotoVisibilityChanged() | PhotoDeleted():
            return LiveEvent(message.topic, {"photo_id": message.photo_id})
        case PhotoFailed(photo_id=photo_id, reason=reason):
            return LiveEvent(message.topic, {"photo_id": photo_id, "reason": reason})
        case PhotoMatched(photo_id=photo_id, user_ids=user_ids) if message.is_first_match:
            found: dict[str, object] = {"matched": len(user_ids)} if runs_event else {}
            return LiveEvent("photo.matched", {"photo_id": photo_id} | found)
        case MatchChanged(photo_id=photo_id):
            return LiveEvent("match.changed", {"photo_id": photo_id})
        case SelfieMatched(matched=matched):
            return LiveEvent("selfie.matched", {"matched": matched})
        case EventChanged() | EventDeleted():
            return LiveEvent(message.topic, {})
        case _:
            return None


def ends_stream(message: Message, viewer: Viewer) -> bool:
    """Whether there is nothing left for this viewer to watch."""
    match message:
        case EventDeleted():
            return True
        case AccountDeleted(user_id=user_id):
            return viewer.user_id == user_id
        case EventChanged(photographer_id=int(photographer_id)):
            return viewer.is_photographer and viewer.user_id != photographer_id
        case _:
            return False

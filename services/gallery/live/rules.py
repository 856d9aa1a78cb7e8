"""What a live stream tells whom about a message."""

from dataclasses import dataclass

from libs.common.messaging.messages import (
    AccountDeleted,
    EventChanged,
    EventDeleted,
    MatchChanged,
    Message,
    PhotoChanged,
    PhotoDeleted,
    PhotoFailed,
    PhotoMatched,
    PhotoUploaded,
    SelfieMatched,
)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who watches an event: a participant, or somebody who runs it and sees all progress."""

    user_id: int
    runs_event: bool


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event of a stream; `data` becomes a JSON object."""

    name: str
    data: dict[str, object]


#: Something may have been missed: the client loads its lists anew.
GAP = LiveEvent("gap", {})


def announcement(message: Message, viewer: Viewer) -> LiveEvent | None:
    """Return what this viewer is told, None when it is not for them."""
    match message:
        case (
            PhotoUploaded(photo_id=photo_id)
            | PhotoChanged(photo_id=photo_id)
            | PhotoDeleted(photo_id=photo_id)
        ):
            return LiveEvent(message.topic, {"photo_id": photo_id})
        case PhotoMatched(photo_id=photo_id, user_ids=user_ids) if message.is_first_match:
            if viewer.runs_event:
                return LiveEvent("photo.matched", {"photo_id": photo_id, "matched": len(user_ids)})
            if viewer.user_id in user_ids:
                return LiveEvent("photo.matched", {"photo_id": photo_id})
        case MatchChanged(photo_id=photo_id, user_ids=user_ids):
            if viewer.runs_event or user_ids is None or viewer.user_id in user_ids:
                return LiveEvent("match.changed", {"photo_id": photo_id})
        case PhotoFailed(photo_id=photo_id, reason=reason) if viewer.runs_event:
            return LiveEvent("photo.failed", {"photo_id": photo_id, "reason": reason})
        case SelfieMatched(user_id=user_id, matched=matched) if viewer.user_id == user_id:
            return LiveEvent("selfie.matched", {"matched": matched})
        case EventChanged() | EventDeleted():
            return LiveEvent(message.topic, {})
        case _:
            pass
    return None


def ends_stream(message: Message, viewer: Viewer) -> bool:
    """Whether there is nothing left for this viewer to watch."""
    match message:
        case EventDeleted():
            return True
        case AccountDeleted(user_id=user_id):
            return viewer.user_id == user_id
        case _:
            return False

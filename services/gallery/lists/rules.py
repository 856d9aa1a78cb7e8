"""Which lists there are, and which cached ones a message makes stale."""

from dataclasses import dataclass
from enum import Enum

from libs.common.messaging.messages import (
    AccountDeleted,
    MatchChanged,
    Message,
    PhotoAnalyzed,
    PhotoChanged,
    PhotoMatched,
    PhotoUploaded,
    SelfieDeleted,
    SelfieMatched,
    SelfieUploaded,
)
from services.gallery.web.paging import Page


class Scope(Enum):
    """Which of a participant's lists of an event."""

    #: The photos they are in.
    OWN = "own"
    #: The photos shown to everybody, each with whether they are in it.
    GENERAL = "general"
    #: The photos they may be in.
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class ListKey:
    """One page of one list of one participant in one event."""

    event_id: int
    user_id: int
    scope: Scope
    page: Page


@dataclass(frozen=True, slots=True)
class Eviction:
    """Stale: the lists of `users` (None: everybody's), and all but own ones if `general`."""

    event_id: int
    users: frozenset[int] | None
    general: bool

    def __contains__(self, key: ListKey) -> bool:
        if key.event_id != self.event_id:
            return False
        if self.users is None or key.user_id in self.users:
            return True
        return self.general and key.scope is not Scope.OWN


def eviction_for(message: Message) -> Eviction:
    """Return what the message makes stale; what it cannot tell is taken as everything.

    A photo on its way through recognition changes every general list, and uncertain ones, but
    only the own lists of those it shows: while photos stream in, other guests' stay cached.
    """
    event_id = message.event_id
    match message:
        case PhotoUploaded() | PhotoAnalyzed() | PhotoChanged():
            return Eviction(event_id, users=frozenset(), general=True)
        case PhotoMatched(user_ids=user_ids):
            return Eviction(event_id, users=frozenset(user_ids), general=True)
        case MatchChanged(user_ids=user_ids) if user_ids is not None:
            return Eviction(event_id, users=frozenset(user_ids), general=False)
        case (
            SelfieUploaded(user_id=user_id)
            | SelfieMatched(user_id=user_id)
            | SelfieDeleted(user_id=user_id)
            | AccountDeleted(user_id=user_id)
        ):
            return Eviction(event_id, users=frozenset({user_id}), general=False)
        case _:
            return Eviction(event_id, users=None, general=True)

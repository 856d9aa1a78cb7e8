import pytest

from libs.common.messaging.messages import (
    AccountDeleted,
    EventChanged,
    EventDeleted,
    MatchChanged,
    Message,
    PhotoAnalyzed,
    PhotoDeleted,
    PhotoFailed,
    PhotoMatched,
    PhotoUploaded,
    PhotoVisibilityChanged,
    SelfieDeleted,
    SelfieMatched,
    SelfieUploaded,
)
from services.gallery.lists.cache import ListKey, Scope, eviction_for
from services.gallery.web.paging import Page

MINE, OTHERS = (ListKey(1, user_id, Scope.OWN, Page()) for user_id in (7, 8))
ALL_OF_MINE, ALL_OF_OTHERS = (
    {ListKey(1, user_id, scope, Page()) for scope in Scope} for user_id in (7, 8)
)
ALL = ALL_OF_MINE | ALL_OF_OTHERS
NOT_OWN = ALL - {MINE, OTHERS}


@pytest.mark.parametrize(
    ("message", "stale"),
    [
        (PhotoUploaded(event_id=1, photo_id=5), NOT_OWN),
        (PhotoAnalyzed(event_id=1, photo_id=5), NOT_OWN),
        (PhotoVisibilityChanged(event_id=1, photo_id=5), NOT_OWN),
        (PhotoMatched(event_id=1, photo_id=5, user_ids=(7,)), NOT_OWN | {MINE}),
        (PhotoMatched(event_id=1, photo_id=5, user_ids=()), NOT_OWN),
        (PhotoFailed(event_id=1, photo_id=5, reason="?"), ALL),
        (PhotoDeleted(event_id=1, photo_id=5, filename="a.jpg"), ALL),
        (MatchChanged(event_id=1, photo_id=5, user_ids=(7,)), ALL_OF_MINE),
        (MatchChanged(event_id=1), ALL),
        (SelfieUploaded(event_id=1, user_id=7, selfie_id=3), ALL_OF_MINE),
        (SelfieMatched(event_id=1, user_id=7, selfie_id=3, matched=2), ALL_OF_MINE),
        (SelfieDeleted(event_id=1, user_id=7, selfie_id=3, object_key="k"), ALL_OF_MINE),
        (AccountDeleted(event_id=1, user_id=7), ALL_OF_MINE),
        (EventChanged(event_id=1), ALL),
        (EventDeleted(event_id=1), ALL),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Message) else "",
)
def test_a_message_makes_exactly_these_lists_stale(message: Message, stale: set[ListKey]) -> None:
    eviction = eviction_for(message)
    assert {key for key in ALL if key in eviction} == stale


def test_another_events_lists_are_left_alone() -> None:
    elsewhere = ListKey(2, 7, Scope.GENERAL, Page())
    assert elsewhere not in eviction_for(PhotoDeleted(event_id=1, photo_id=5, filename="a.jpg"))

import pytest

from libs.common.messages import (
    Message,
    PhotoAnalyzed,
    PhotoChanged,
    PhotoDeleted,
    PhotoFailed,
    PhotoMatched,
    PhotoUploaded,
    SelfieDeleted,
    SelfieMatched,
    SelfieUploaded,
)
from services.gallery.eviction import ListKey, Scope, eviction_for
from services.gallery.paging import Page

MINE, SHARED_TO_ME = (ListKey(1, 7, scope, Page()) for scope in (Scope.OWN, Scope.SHARED))
OTHERS, SHARED_TO_OTHERS = (ListKey(1, 8, scope, Page()) for scope in (Scope.OWN, Scope.SHARED))
ALL = {MINE, SHARED_TO_ME, OTHERS, SHARED_TO_OTHERS}
SHARED = {SHARED_TO_ME, SHARED_TO_OTHERS}


@pytest.mark.parametrize(
    ("message", "stale"),
    [
        (PhotoUploaded(event_id=1, photo_id=5), SHARED),
        (PhotoAnalyzed(event_id=1, photo_id=5), SHARED),
        (PhotoChanged(event_id=1, photo_id=5), SHARED),
        (PhotoMatched(event_id=1, photo_id=5, user_ids=(7,)), SHARED | {MINE}),
        (PhotoMatched(event_id=1, photo_id=5, user_ids=()), SHARED),
        (PhotoFailed(event_id=1, photo_id=5, reason="?"), ALL),
        (PhotoDeleted(event_id=1, photo_id=5, filename="a.jpg"), ALL),
        (SelfieUploaded(event_id=1, user_id=7, selfie_id=3), {MINE, SHARED_TO_ME}),
        (SelfieMatched(event_id=1, user_id=7, selfie_id=3, matched=2), {MINE, SHARED_TO_ME}),
        (
            SelfieDeleted(event_id=1, user_id=7, selfie_id=3, object_key="k"),
            {MINE, SHARED_TO_ME},
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Message) else "",
)
def test_a_message_makes_exactly_these_lists_stale(message: Message, stale: set[ListKey]) -> None:
    eviction = eviction_for(message)
    assert {key for key in ALL if key in eviction} == stale


def test_another_events_lists_are_left_alone() -> None:
    elsewhere = ListKey(2, 7, Scope.SHARED, Page())
    assert elsewhere not in eviction_for(PhotoDeleted(event_id=1, photo_id=5, filename="a.jpg"))

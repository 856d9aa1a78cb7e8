import pytest

from libs.common.messaging.messages import (
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
from services.gallery.live.announcements import Announcement, LiveEvent, Viewer

GUEST = Viewer(7, runs_event=False)
PHOTOGRAPHER = Viewer(2, runs_event=True)


@pytest.mark.parametrize(
    ("message", "for_guest", "for_photographer"),
    [
        (
            PhotoUploaded(event_id=1, photo_id=5, seen_by_all=True),
            LiveEvent("photo.uploaded", {"photo_id": 5}),
            LiveEvent("photo.uploaded", {"photo_id": 5}),
        ),
        (
            PhotoUploaded(event_id=1, photo_id=5),
            None,
            LiveEvent("photo.uploaded", {"photo_id": 5}),
        ),
        (
            PhotoVisibilityChanged(event_id=1, photo_id=5, seen_by_all=True),
            LiveEvent("photo.changed", {"photo_id": 5}),
            LiveEvent("photo.changed", {"photo_id": 5}),
        ),
        (
            PhotoVisibilityChanged(event_id=1, photo_id=5),
            None,
            LiveEvent("photo.changed", {"photo_id": 5}),
        ),
        (
            PhotoDeleted(event_id=1, photo_id=5, filename="a.jpg", seen_by_all=True),
            LiveEvent("photo.deleted", {"photo_id": 5}),
            LiveEvent("photo.deleted", {"photo_id": 5}),
        ),
        (
            PhotoDeleted(event_id=1, photo_id=5, filename="a.jpg", user_ids=(7,)),
            LiveEvent("photo.deleted", {"photo_id": 5}),
            LiveEvent("photo.deleted", {"photo_id": 5}),
        ),
        (
            PhotoDeleted(event_id=1, photo_id=5, filename="a.jpg", user_ids=(8,)),
            None,
            LiveEvent("photo.deleted", {"photo_id": 5}),
        ),
        (
            PhotoMatched(event_id=1, photo_id=5, user_ids=(7, 8)),
            LiveEvent("photo.matched", {"photo_id": 5}),
            LiveEvent("photo.matched", {"photo_id": 5, "matched": 2}),
        ),
        (
            PhotoMatched(event_id=1, photo_id=5, user_ids=(8,)),
            None,
            LiveEvent("photo.matched", {"photo_id": 5, "matched": 1}),
        ),
        (
            MatchChanged(event_id=1, photo_id=5, user_ids=(7,)),
            LiveEvent("match.changed", {"photo_id": 5}),
            LiveEvent("match.changed", {"photo_id": 5}),
        ),
        (
            MatchChanged(event_id=1, photo_id=5, user_ids=(8,)),
            None,
            LiveEvent("match.changed", {"photo_id": 5}),
        ),
        (
            MatchChanged(event_id=1),
            LiveEvent("match.changed", {"photo_id": None}),
            LiveEvent("match.changed", {"photo_id": None}),
        ),
        (
            PhotoFailed(event_id=1, photo_id=5, reason="truncated"),
            None,
            LiveEvent("photo.failed", {"photo_id": 5, "reason": "truncated"}),
        ),
        (
            SelfieMatched(event_id=1, user_id=7, selfie_id=3, matched=4),
            LiveEvent("selfie.matched", {"matched": 4}),
            None,
        ),
        (
            EventChanged(event_id=1),
            LiveEvent("event.changed", {}),
            LiveEvent("event.changed", {}),
        ),
        (
            EventDeleted(event_id=1),
            LiveEvent("event.deleted", {}),
            LiveEvent("event.deleted", {}),
        ),
        (SelfieMatched(event_id=1, user_id=8, selfie_id=3, matched=4), None, None),
        (PhotoAnalyzed(event_id=1, photo_id=5), None, None),
        (SelfieUploaded(event_id=1, user_id=7, selfie_id=3), None, None),
        (SelfieDeleted(event_id=1, user_id=7, selfie_id=3, object_key="k"), None, None),
    ],
)
def test_everybody_is_told_what_is_theirs_to_know(
    message: Message, for_guest: LiveEvent | None, for_photographer: LiveEvent | None
) -> None:
    assert Announcement(message).to(GUEST) == for_guest
    assert Announcement(message).to(PHOTOGRAPHER) == for_photographer

"""The document of the stream names what it may send."""

from libs.common.messaging.messages import (
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
from services.gallery.live.announcements import EXPIRED, GAP, Announcement, Viewer
from services.gallery.live.routes import EVENTS

SENT: list[Message] = [
    PhotoUploaded(event_id=1, photo_id=2),
    PhotoMatched(event_id=1, photo_id=2, user_ids=(3,)),
    PhotoFailed(event_id=1, photo_id=2, reason="It is damaged."),
    PhotoVisibilityChanged(event_id=1, photo_id=2),
    PhotoDeleted(event_id=1, photo_id=2, filename="a.jpg"),
    MatchChanged(event_id=1, photo_id=2, user_ids=(3,)),
    SelfieMatched(event_id=1, user_id=3, selfie_id=4, matched=5),
    EventChanged(event_id=1),
    EventDeleted(event_id=1),
]


def test_every_event_is_documented_with_what_is_in_it() -> None:
    viewer = Viewer(3, runs_event=True)
    told = [found for message in SENT if (found := Announcement(message).to(viewer)) is not None]
    assert {event.name for event in told} | {GAP.name, EXPIRED.name} == set(EVENTS)
    for event in told:
        for key in event.data:
            assert f"`{key}`" in EVENTS[event.name]


def test_no_other_message_is_announced() -> None:
    viewer = Viewer(3, runs_event=True)
    others = {kind.topic for kind in Message.__subclasses__()} - set(EVENTS)
    for kind in Message.__subclasses__():
        if kind.topic in others:
            assert Announcement(kind.model_construct(event_id=1)).to(viewer) is None

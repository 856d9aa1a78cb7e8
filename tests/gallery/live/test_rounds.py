"""Word of a match is not kept waiting by word of other photos; for each photo all is in order."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.messaging.messages import (
    Message,
    PhotoAnalyzed,
    PhotoDeleted,
    PhotoMatched,
    PhotoUploaded,
    SelfieMatched,
)
from services.gallery.live.announcements import Viewer
from services.gallery.live.rounds import MAX_UNDER_WAY, STREAMS_IN_A_TURN
from services.gallery.live.updates import LiveUpdates, Subscription

GUESTS = 2 * STREAMS_IN_A_TURN + 1
#: Whose turn comes last.
LAST = GUESTS


@contextmanager
def watched() -> Iterator[tuple[LiveUpdates, list[Subscription]]]:
    live = LiveUpdates(max_streams=GUESTS, per_account=1)
    with ExitStack() as stack:
        streams = [
            stack.enter_context(live.subscribe(1, Viewer(user_id, runs_event=False)))
            for user_id in range(1, GUESTS + 1)
        ]
        yield live, streams


def heard(stream: Subscription) -> list[tuple[str, object]]:
    return [(event.name, event.data.get("photo_id")) for event in stream._waiting]


def uploaded(photo_id: int) -> Message:
    return PhotoUploaded(event_id=1, photo_id=photo_id, seen_by_all=True)


def matched(photo_id: int) -> Message:
    return PhotoMatched(event_id=1, photo_id=photo_id, user_ids=tuple(range(1, GUESTS + 1)))


async def several_turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "urgent", [matched(4), SelfieMatched(event_id=1, user_id=LAST, selfie_id=1, matched=2)]
)
async def test_a_match_overtakes_another_photos_upload(urgent: Message) -> None:
    with watched() as (live, streams):
        live.publish(uploaded(5))
        live.publish(urgent)
        told = {stream.viewer.user_id: heard(stream) for stream in streams}
        assert [name for name, _ in told[LAST]] == [urgent.topic]
        assert told[1][0] == ("photo.uploaded", 5)
        await several_turns()
        assert all(("photo.uploaded", 5) in heard(stream) for stream in streams)


async def test_what_nobody_hears_of_hurries_no_round() -> None:
    with watched() as (live, streams):
        live.publish(uploaded(5))
        live.publish(PhotoAnalyzed(event_id=1, photo_id=4))
        assert heard(streams[-1]) == []


@pytest.mark.parametrize(
    "later", [matched(5), PhotoDeleted(event_id=1, photo_id=5, filename="a.jpg", seen_by_all=True)]
)
async def test_what_is_told_of_a_photo_comes_after_its_upload(later: Message) -> None:
    with watched() as (live, streams):
        live.publish(uploaded(4))
        live.publish(uploaded(5))
        live.publish(later)
        told = [("photo.uploaded", 4), ("photo.uploaded", 5), (later.topic, 5)]
        assert all(heard(stream) == told for stream in streams)


async def test_of_too_many_rounds_the_first_is_ended_at_once() -> None:
    with watched() as (live, streams):
        for photo_id in range(MAX_UNDER_WAY + 1):
            live.publish(uploaded(photo_id))
        assert [heard(stream) for stream in streams[-2:]] == [[("photo.uploaded", 0)]] * 2


@given(
    st.lists(
        st.tuples(st.sampled_from([uploaded, matched]), st.integers(1, 4), st.integers(0, 2)),
        max_size=12,
    )
)
async def test_everybody_hears_everything_and_of_each_photo_in_order(
    steps: list[tuple[Callable[[int], Message], int, int]],
) -> None:
    with watched() as (live, streams):
        published = []
        for kind, photo_id, turns in steps:
            message = kind(photo_id)
            live.publish(message)
            published.append((message.topic, photo_id))
            for _ in range(turns):
                await asyncio.sleep(0)
        live._rounds.finish_all()
        for stream in (streams[0], streams[STREAMS_IN_A_TURN], streams[-1]):
            for photo_id in range(1, 5):
                of_photo = [one for one in published if one[1] == photo_id]
                assert [one for one in heard(stream) if one[1] == photo_id] == of_photo

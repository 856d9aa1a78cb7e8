"""Word of a match is not kept waiting by word of other photos; for each photo all is in order."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.messaging.messages import (
    MatchChanged,
    Message,
    PhotoAnalyzed,
    PhotoDeleted,
    PhotoFailed,
    PhotoMatched,
    PhotoUploaded,
    SelfieMatched,
)
from services.gallery.live import rounds
from services.gallery.live.announcements import EXPIRED, GAP, Viewer
from services.gallery.live.rounds import STREAMS_IN_A_TURN, Round
from services.gallery.live.updates import LiveUpdates, Subscription

GUESTS = 2 * STREAMS_IN_A_TURN + 1


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


def without_word(streams: list[Subscription]) -> list[Subscription]:
    return [stream for stream in streams if not heard(stream)]


def uploaded(photo_id: int) -> Message:
    return PhotoUploaded(event_id=1, photo_id=photo_id, seen_by_all=True)


def matched(photo_id: int) -> Message:
    return PhotoMatched(event_id=1, photo_id=photo_id, user_ids=tuple(range(1, GUESTS + 1)))


def deleted(photo_id: int) -> Message:
    return PhotoDeleted(event_id=1, photo_id=photo_id, filename="a.jpg", seen_by_all=True)


async def all_rounds(live: LiveUpdates) -> None:
    """Wait for them; each takes three turns."""
    for _ in range(3 * len(live._rounds._rounds) + 1):
        await asyncio.sleep(0)
    assert not live._rounds._rounds


async def test_a_match_overtakes_another_photos_upload() -> None:
    with watched() as (live, streams):
        live.publish(uploaded(5))
        waiting = without_word(streams)
        assert len(waiting) == GUESTS - STREAMS_IN_A_TURN
        live.publish(matched(4))
        user_id = waiting[0].viewer.user_id
        live.publish(SelfieMatched(event_id=1, user_id=user_id, selfie_id=1, matched=2))
        assert heard(waiting[0]) == [("photo.matched", 4), ("selfie.matched", None)]
        await all_rounds(live)
        assert heard(waiting[0])[2:] == [("photo.uploaded", 5)]
        assert all(len(heard(stream)) == 2 for stream in streams if stream is not waiting[0])


@pytest.mark.parametrize("later", [matched(5), deleted(5)], ids=["matched", "deleted"])
async def test_what_is_told_of_a_photo_comes_after_its_upload(later: Message) -> None:
    with watched() as (live, streams):
        live.publish(uploaded(4))
        live.publish(uploaded(5))
        live.publish(later)
        await all_rounds(live)
        told = [("photo.uploaded", 4), ("photo.uploaded", 5), (later.topic, 5)]
        assert all(heard(stream) == told for stream in streams)


@pytest.mark.parametrize(
    "message",
    [
        uploaded(6),
        deleted(4),
        PhotoAnalyzed(event_id=1, photo_id=4),
        PhotoFailed(event_id=1, photo_id=7, reason="torn"),
        MatchChanged(event_id=1, photo_id=4, user_ids=(1,)),
        MatchChanged(event_id=2, user_ids=(1,)),
    ],
    ids=str,
)
async def test_no_message_hurries_the_rounds_that_go_on(message: Message) -> None:
    with watched() as (live, streams):
        live.publish(uploaded(5))
        live.publish(message)
        waiting = len(without_word(streams))
        # One of them may have heard of their own match.
        assert GUESTS - STREAMS_IN_A_TURN - 1 <= waiting <= GUESTS - STREAMS_IN_A_TURN
        await asyncio.sleep(0)
        assert waiting - STREAMS_IN_A_TURN - 1 <= len(without_word(streams))


async def test_who_left_or_is_told_the_end_hears_of_no_photo_afterwards() -> None:
    with watched() as (live, streams):
        live.publish(uploaded(5))
        ended, *others = without_word(streams)
        ended.close()
        live.expire(1)
        await all_rounds(live)
        assert heard(ended) == []
        assert all(heard(stream) == [(EXPIRED.name, None)] for stream in others)


async def test_a_gap_stands_for_all_that_was_to_be_told() -> None:
    with watched() as (live, streams):
        live.publish(uploaded(5))
        live.gap()
        live.publish(uploaded(6))
        await all_rounds(live)
        told = [(GAP.name, None), ("photo.uploaded", 6)]
        assert all(heard(stream) == told for stream in streams)


async def test_of_too_many_rounds_all_become_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "MAX_ROUNDS", 3)
    with watched() as (live, streams):
        for photo_id in range(4):
            live.publish(uploaded(photo_id))
        assert all(heard(stream) == [(GAP.name, None)] for stream in streams)
        live.publish(uploaded(9))
        await all_rounds(live)
        assert all(heard(stream)[1:] == [("photo.uploaded", 9)] for stream in streams)


async def test_a_stream_that_cannot_be_told_ends_and_the_others_hear_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with watched() as (live, streams):
        live.publish(uploaded(5))
        broken, *others = without_word(streams)
        monkeypatch.setattr(broken, "push", lambda _: 1 / 0)
        live.publish(uploaded(6))
        await all_rounds(live)
        assert broken.ends
        told = [("photo.uploaded", 5), ("photo.uploaded", 6)]
        assert all(heard(stream) == told for stream in others)


async def test_after_a_round_that_failed_the_others_go_on() -> None:
    with watched() as (live, streams):
        live.publish(uploaded(5))
        live._rounds._rounds[0] = Round(1, 5, cast("Iterator[None]", map(int, ["x"])))
        live.publish(uploaded(6))
        await all_rounds(live)
        assert all(
            heard(stream)[-2:] == [(GAP.name, None), ("photo.uploaded", 6)] for stream in streams
        )


@given(
    st.lists(
        st.tuples(
            st.sampled_from([uploaded, matched, deleted]), st.integers(1, 4), st.integers(0, 2)
        ),
        max_size=12,
    )
)
async def test_everybody_hears_everything_and_of_each_photo_in_order(
    steps: list[tuple[Callable[[int], Message], int, int]],
) -> None:
    with watched() as (live, streams):
        published = []
        for make, photo_id, turns in steps:
            message = make(photo_id)
            live.publish(message)
            published.append((message.topic, photo_id))
            for _ in range(turns):
                await asyncio.sleep(0)
        await all_rounds(live)
        for stream in (streams[0], streams[STREAMS_IN_A_TURN], streams[-1]):
            for photo_id in range(1, 5):
                of_photo = [one for one in published if one[1] == photo_id]
                assert [one for one in heard(stream) if one[1] == photo_id] == of_photo

import asyncio

import pytest

from libs.common.errors import Unavailable
from libs.common.messaging.messages import PhotoUploaded
from services.gallery.live.updates import GAP, LiveEvent, LiveUpdates, Subscription, Viewer
from tests.support.polling import PATIENCE_SECONDS

GUEST = Viewer(7, runs_event=False)


def numbered(count: int) -> list[LiveEvent]:
    return [LiveEvent("photo.uploaded", {"photo_id": number}) for number in range(count)]


async def read(subscription: Subscription, count: int) -> list[LiveEvent]:
    events: list[LiveEvent] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for event in subscription:
            events.append(event)
            if len(events) == count:
                break
    return events


async def test_events_come_in_the_order_they_were_pushed() -> None:
    subscription = Subscription(GUEST)
    for event in numbered(5):
        subscription.push(event)
    assert await read(subscription, 5) == numbered(5)


async def test_a_full_buffer_becomes_one_gap_and_later_events_follow_it() -> None:
    subscription = Subscription(GUEST, buffered_events=3)
    for event in numbered(4):
        subscription.push(event)
    subscription.push(numbered(9)[8])
    assert await read(subscription, 2) == [GAP, numbered(9)[8]]


async def test_a_gap_makes_waiting_events_needless() -> None:
    subscription = Subscription(GUEST)
    for event in [*numbered(3), GAP, GAP]:
        subscription.push(event)
    subscription.push(numbered(1)[0])
    assert await read(subscription, 2) == [GAP, numbered(1)[0]]


async def test_only_streams_of_the_event_hear_a_message() -> None:
    live = LiveUpdates(max_streams=5)
    with live.subscribe(1, GUEST) as here, live.subscribe(2, GUEST) as elsewhere:
        live.publish(PhotoUploaded(event_id=1, photo_id=5))
        live.publish(PhotoUploaded(event_id=2, photo_id=6))
        assert await read(here, 1) == [LiveEvent("photo.uploaded", {"photo_id": 5})]
        assert await read(elsewhere, 1) == [LiveEvent("photo.uploaded", {"photo_id": 6})]


async def test_there_is_room_again_when_a_stream_ends() -> None:
    live = LiveUpdates(max_streams=1)
    with live.subscribe(1, GUEST), pytest.raises(Unavailable):
        live.require_room()
    live.require_room()


async def test_closing_ends_waiting_streams_and_refuses_new_ones() -> None:
    live = LiveUpdates(max_streams=5)
    with live.subscribe(1, GUEST) as subscription:
        reading = asyncio.create_task(read(subscription, 1))
        await asyncio.sleep(0)
        live.close()
        assert await reading == []
    with pytest.raises(Unavailable):
        live.require_room()
    with live.subscribe(1, GUEST) as late:
        assert await read(late, 1) == []

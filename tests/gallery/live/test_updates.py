import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from libs.common import tasks
from libs.common.errors import TooManyRequests, Unavailable
from libs.common.messaging.bus.mailbox import Mailbox
from libs.common.messaging.bus.protocol import Delivery
from libs.common.messaging.messages import PhotoMatched, PhotoUploaded
from libs.common.web.piece_writing import Piece, PieceWriter
from services.gallery.live.announcements import GAP, Announcement, LiveEvent, Viewer
from services.gallery.live.subscription import BUFFERED_EVENTS, HEARTBEAT, Subscription
from services.gallery.live.updates import LiveUpdates
from services.gallery.live.writing import STREAMS_AT_A_TURN
from tests.support.polling import PATIENCE_SECONDS, eventually

GUEST = Viewer(7, runs_event=False)


def numbered(count: int) -> list[LiveEvent]:
    return [LiveEvent("photo.uploaded", {"photo_id": number}) for number in range(count)]


async def read(subscription: Subscription, count: int) -> bytes:
    """So many events as they are sent, or all before the stream's end."""
    sent = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for piece in subscription.blocks(ping_seconds=PATIENCE_SECONDS):
            sent += piece
            if sent.count(b"\n\n") >= count:
                break
    return sent


def sent(*events: LiveEvent) -> bytes:
    return b"".join(event.piece.content for event in events)


async def test_events_come_in_the_order_they_were_pushed() -> None:
    subscription = Subscription(GUEST)
    for event in numbered(5):
        subscription.push(event)
    assert await read(subscription, 5) == sent(*numbered(5))


async def test_a_full_buffer_becomes_one_gap_and_later_events_follow_it() -> None:
    subscription = Subscription(GUEST, buffered_events=3)
    for event in numbered(4):
        subscription.push(event)
    subscription.push(numbered(9)[8])
    assert await read(subscription, 2) == sent(GAP, numbered(9)[8])


async def test_a_gap_makes_waiting_events_needless() -> None:
    subscription = Subscription(GUEST)
    for event in [*numbered(3), GAP, GAP]:
        subscription.push(event)
    subscription.push(numbered(1)[0])
    assert await read(subscription, 2) == sent(GAP, numbered(1)[0])


async def test_an_event_is_written_as_the_standard_has_it() -> None:
    event = LiveEvent("photo.matched", {"photo_id": 4711})
    assert event.piece.content == b'event: photo.matched\ndata: {"photo_id":4711}\n\n'


async def test_pieces_stay_small_however_much_waits() -> None:
    subscription = Subscription(GUEST)
    long = LiveEvent("photo.failed", {"reason": "damaged " * 500})
    for _ in range(4):
        subscription.push(long)
    pieces = subscription.blocks(ping_seconds=PATIENCE_SECONDS)
    assert await anext(pieces) == sent(long, long)


async def test_a_stream_with_nothing_to_tell_says_that_it_lives() -> None:
    pieces = Subscription(GUEST).blocks(ping_seconds=0.01)
    assert await anext(pieces) == HEARTBEAT
    assert await anext(pieces) == HEARTBEAT


async def test_an_event_is_made_once_for_all_guests() -> None:
    announcement = Announcement(PhotoMatched(event_id=1, photo_id=5, user_ids=(7, 8)))
    other = replace(GUEST, user_id=8)
    assert announcement.to(GUEST) is announcement.to(other) is not None
    assert announcement.to(replace(GUEST, user_id=9)) is None


async def test_only_streams_of_the_event_hear_a_message() -> None:
    live = LiveUpdates(max_streams=5, per_account=5)
    with live.subscribe(1, GUEST) as here, live.subscribe(2, GUEST) as elsewhere:
        live.publish(PhotoUploaded(event_id=1, photo_id=5, seen_by_all=True))
        live.publish(PhotoUploaded(event_id=2, photo_id=6, seen_by_all=True))
        assert await read(here, 1) == sent(LiveEvent("photo.uploaded", {"photo_id": 5}))
        assert await read(elsewhere, 1) == sent(LiveEvent("photo.uploaded", {"photo_id": 6}))


async def test_there_is_room_again_when_a_stream_ends() -> None:
    live = LiveUpdates(max_streams=1, per_account=5)
    with live.subscribe(1, GUEST), pytest.raises(Unavailable):
        live.require_room(GUEST.user_id)
    live.require_room(GUEST.user_id)


async def test_closing_ends_waiting_streams_and_refuses_new_ones() -> None:
    live = LiveUpdates(max_streams=5, per_account=5)
    with live.subscribe(1, GUEST) as subscription:
        reading = asyncio.create_task(read(subscription, 1))
        await asyncio.sleep(0)
        await live.close()
        assert await reading == b""
    with pytest.raises(Unavailable):
        live.require_room(GUEST.user_id)
    with pytest.raises(Unavailable), live.subscribe(1, GUEST):
        raise AssertionError


async def test_one_account_has_so_many_streams_and_others_have_theirs() -> None:
    live = LiveUpdates(max_streams=9, per_account=2)
    with live.subscribe(1, GUEST), live.subscribe(2, GUEST):
        with pytest.raises(TooManyRequests), live.subscribe(3, GUEST):
            raise AssertionError
        with live.subscribe(1, replace(GUEST, user_id=GUEST.user_id + 1)):
            pass
    live.require_room(GUEST.user_id)


@dataclass
class Wire(PieceWriter):
    """What was written to a client, each time; one that takes nothing has no `room`."""

    written: list[bytes] = field(default_factory=list)
    has_room: bool = True

    def write(self, pieces: Sequence[Piece]) -> bool:
        if self.has_room:
            self.written.append(b"".join(piece.content for piece in pieces))
        return self.has_room


@asynccontextmanager
async def listening(live: LiveUpdates, viewer: Viewer) -> AsyncIterator[tuple[Wire, list[bytes]]]:
    """A stream that waits for events: what is written to it, and what its task sends."""
    wire, by_task = Wire(), list[bytes]()

    async def send() -> None:
        async for block in subscription.blocks(ping_seconds=PATIENCE_SECONDS):
            by_task.append(block)

    with live.subscribe(1, viewer) as subscription:
        subscription.write_by(wire)
        sending = asyncio.create_task(send())
        await asyncio.sleep(0)
        yield wire, by_task
        # As where the client has gone: nothing is closed before.
        await tasks.end(sending)


def of_all(photo_id: int) -> PhotoUploaded:
    return PhotoUploaded(event_id=1, photo_id=photo_id, seen_by_all=True)


async def test_what_comes_together_is_written_together() -> None:
    live = LiveUpdates(max_streams=9, per_account=5)
    async with listening(live, GUEST) as (wire, by_task):
        for event in numbered(3):
            live.publish(of_all(int(str(event.data["photo_id"]))))
        assert wire.written == []
        await eventually(lambda: wire.written == [sent(*numbered(3))])
        live.publish(of_all(0))
        await eventually(lambda: wire.written[1:] == [sent(*numbered(1))])
        assert by_task == []


async def test_who_takes_nothing_is_sent_it_by_the_task_in_order() -> None:
    live = LiveUpdates(max_streams=9, per_account=5)
    async with listening(live, GUEST) as (wire, by_task):
        wire.has_room = False
        live.publish(of_all(0))
        await eventually(lambda: b"".join(by_task) == sent(*numbered(1)))
        wire.has_room = True
        live.publish(of_all(1))
        await eventually(lambda: b"".join(wire.written) == sent(numbered(2)[1]))


async def test_guests_hear_of_their_own_photos_before_all_have_heard_of_others() -> None:
    live = LiveUpdates(max_streams=2000, per_account=5)
    async with AsyncExitStack() as streams:
        wires = [
            (await streams.enter_async_context(listening(live, replace(GUEST, user_id=user))))[0]
            for user in range(4 * STREAMS_AT_A_TURN)
        ]
        live.publish(of_all(0))
        await asyncio.sleep(0)
        assert [bool(wire.written) for wire in wires].count(True) == STREAMS_AT_A_TURN
        last = next(reversed(live._writing._others)).viewer.user_id
        live.publish(PhotoMatched(event_id=1, photo_id=5, user_ids=(last,)))
        await asyncio.sleep(0)
        matched = LiveEvent("photo.matched", {"photo_id": 5})
        assert wires[last].written == [sent(*numbered(1), matched)]
        assert not all(wire.written for wire in wires)
        await eventually(lambda: all(wire.written for wire in wires))
        assert sum(len(wire.written) for wire in wires) == len(wires)


async def test_of_a_burst_nobody_misses_anything_who_takes_what_is_written() -> None:
    live, heard = LiveUpdates(max_streams=9, per_account=5), numbered(2 * BUFFERED_EVENTS)

    async def hear(delivery: Delivery) -> None:
        live.publish(of_all(int(delivery.routing_key)))

    mailbox, stopping = Mailbox(hear, lambda: asyncio.sleep(0)), asyncio.Event()
    async with listening(live, GUEST) as (wire, _):
        for number in range(len(heard)):
            mailbox.offer(Delivery("", str(number), b"", "", attempt=1, redelivered=False))
        handing_out = asyncio.create_task(mailbox.run(stopping))
        await eventually(lambda: b"".join(wire.written) == sent(*heard))
        for number in range(len(heard)):
            live.publish(of_all(number))
        await eventually(lambda: b"".join(wire.written) == 2 * sent(*heard))
        stopping.set()
        await handing_out


async def test_a_stream_that_has_ended_is_written_to_no_more() -> None:
    live, wire = LiveUpdates(max_streams=9, per_account=5), Wire()
    with live.subscribe(1, GUEST) as gone:
        gone.write_by(wire)
        sending = asyncio.create_task(read(gone, 1))
        await asyncio.sleep(0)
        live.publish(of_all(0))
    await asyncio.sleep(0)
    assert wire.written == []
    await tasks.end(sending)


async def test_a_stream_that_cannot_be_told_ends_and_the_others_hear_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = LiveUpdates(max_streams=9, per_account=5)
    with live.subscribe(1, GUEST) as first, live.subscribe(1, GUEST) as second:
        monkeypatch.setattr(first, "push", lambda _: 1 / 0)
        live.publish(PhotoUploaded(event_id=1, photo_id=5, seen_by_all=True))
        assert first.ends
        assert await read(second, 1) == sent(LiveEvent("photo.uploaded", {"photo_id": 5}))

"""What the service does in the background is missed when it ends, and begun again."""

import contextlib

import pytest

from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.messages import PhotoMatched
from services.gallery.live.announcements import GAP, Viewer
from tests.gallery.world import World
from tests.support.people import Person
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.supervision import Breakage, becomes_ready, becomes_unready, end_subscription


async def my_photos(world: World, guest: Person) -> list[int]:
    answer = await world.client.get("/api/my-photos", headers=guest.headers)
    return [photo["id"] for photo in answer.json()]


async def test_a_listener_that_ends_is_missed_and_what_it_did_not_hear_is_read_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = world.app.state.gallery
    gallery.cache._ttl_seconds = 3600.0
    bus = world.bus
    assert isinstance(bus, InProcessBus)
    breakage = Breakage()
    monkeypatch.setattr(bus, "listen", breakage.of(bus.listen))
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    selfie_id = await world.selfie(guest)
    photo_id = await world.photo(event_id)
    assert await my_photos(world, guest) == []
    told = b""

    with gallery.live.subscribe(event_id, Viewer(guest.id, runs_event=False)) as stream:
        end_subscription(bus, "listener")
        await becomes_unready(world.app, "notifications")
        # Nobody hears of this one.
        await world.match(guest, event_id, [photo_id], selfie_id)
        breakage.is_broken = False
        await becomes_ready(world.app)
        await breakage.works_again()

        async def is_shown() -> bool:
            return await my_photos(world, guest) == [photo_id]

        await eventually(is_shown)
        await world.publish(
            PhotoMatched(event_id=event_id, photo_id=photo_id, user_ids=(guest.id,))
        )
        async with contextlib.aclosing(stream.blocks(ping_seconds=PATIENCE_SECONDS)) as blocks:
            async for block in blocks:
                told += block
                if b"event: photo.matched" in told:
                    break
    assert GAP.piece.content in told

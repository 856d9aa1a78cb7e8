"""An event is erased after its end and the grace period: proved by looking everywhere."""

import asyncio
from datetime import timedelta

from sqlalchemy import text

from services.gallery.erasure.erase_events import EventEraser
from tests.erasure.party import Party
from tests.erasure.test_erasure import in_memory
from tests.support.polling import eventually

GRACE = timedelta(days=30)


async def test_nothing_is_left_of_an_event_that_ended_long_ago(party: Party) -> None:
    event, other = await party.event(party.photographer), await party.event(party.photographer)
    both, only_here = await party.guest(1, event, other), await party.guest(5, event)
    stays = await party.guest(13, other)
    await party.settled()
    # Nobody is in photos of both: their faces could not be told apart.
    for one, people in ((event, ([2, 3], [5, 6])), (other, ([12, 13], [14, 15]))):
        assert (await party.upload(one, *people)).json()["enqueued"] == len(people)
    await party.settled()
    path = f"/api/user/events/{event}/photos"
    (listed,) = (await party.call("GET", path, only_here)).json()
    assert (await party.services.client.get(listed["thumbnail_url"])).status_code == 200
    # The event's row, and who was there, stay; all else goes.
    needles = [needle for needle in await party.all_of_event(event) if needle != event]
    needles.append(await party.begin_upload(event))
    assert any(place.startswith("faces.") for place in await party.traces(needles))

    eraser = EventEraser(party.database, grace=GRACE, notice=timedelta(0), rows_at_once=1)
    assert await eraser.erase() == 0
    ended = "UPDATE events SET expires_at = now() - interval '31 days' WHERE id = :id RETURNING id"
    async with party.database.unit_of_work() as unit:
        await unit.connection.execute(text(ended), {"id": event})
    # Several replicas at once (the service has one, too): one works at a time.
    done = await asyncio.gather(*(eraser.erase() for _ in range(2)))
    assert sum(done) <= 1
    erased = "SELECT erased_at IS NOT NULL FROM events WHERE id = :id"
    await eventually(lambda: party.scalar(erased, id=event))
    await party.nothing_is_left(needles)
    await eventually(lambda: in_memory(party, event) == [])
    if party.server is not None:
        assert f"event_{event}" not in party.server.collections.faces
        assert f"event_{other}" in party.server.collections.faces
    for guest in (both, only_here):
        assert (await party.call("GET", path, guest)).status_code == 410
    assert (await party.upload(event, [1])).status_code == 410
    assert (await party.services.client.get(listed["thumbnail_url"])).status_code == 410

    # The other event, and who is in it, are as they were.
    elsewhere = f"/api/user/events/{other}/photos"
    (photo,) = (await party.call("GET", elsewhere, stays)).json()
    assert (await party.services.client.get(photo["thumbnail_url"])).status_code == 200
    embeddings = "SELECT count(*) FROM selfies WHERE embedding IS NOT NULL AND user_id = :id"
    assert await party.scalar(embeddings, id=only_here.id) == 0
    if party.server is None:
        assert await party.scalar(embeddings, id=both.id) == 1

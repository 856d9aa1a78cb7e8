from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest

from libs.common.database.tables import events
from libs.common.messaging.bus.protocol import OutgoingMessage
from libs.common.messaging.messages import (
    EventChanged,
    PhotoAnalyzed,
    PhotoDeleted,
    PhotoFailed,
    PhotoMatched,
    PhotoUploaded,
    PhotoVisibilityChanged,
    SelfieMatched,
)
from services.gallery.gallery import Gallery
from services.gallery.live.rights import end_given_away, end_removed
from services.gallery.live.updates import LiveUpdates
from tests.gallery.streams import Stream, open_stream
from tests.gallery.world import World
from tests.support.http_server import serving
from tests.support.polling import PATIENCE_SECONDS, eventually


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service on a real socket."""
    async with (
        serving(world.app) as url,
        httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client,
    ):
        yield client


def live_of(world: World) -> LiveUpdates:
    gallery: Gallery = world.app.state.gallery
    return gallery.live


async def test_guests_and_photographers_are_told_what_is_theirs(
    world: World, client: httpx.AsyncClient
) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    guest, other = await world.person(joined=event_id), await world.person(joined=event_id)
    messages = [
        PhotoUploaded(event_id=event_id, photo_id=1, seen_by_all=True),
        PhotoAnalyzed(event_id=event_id, photo_id=1),
        PhotoUploaded(event_id=event_id + 1, photo_id=99, seen_by_all=True),
        PhotoMatched(event_id=event_id, photo_id=1, user_ids=(guest.id,)),
        PhotoFailed(event_id=event_id, photo_id=2, reason="truncated"),
        SelfieMatched(event_id=event_id, user_id=guest.id, selfie_id=1, matched=4),
        PhotoVisibilityChanged(event_id=event_id, photo_id=1, seen_by_all=True),
        PhotoDeleted(event_id=event_id, photo_id=1, filename="a.jpg", seen_by_all=True),
    ]
    async with (
        open_stream(client, event_id, guest.headers) as for_guest,
        open_stream(client, event_id, other.headers) as for_other,
        open_stream(client, event_id, photographer.headers) as for_photographer,
        open_stream(client, event_id, (await world.admin()).headers) as for_admin,
    ):
        for message in messages:
            await world.publish(message)
        shared_end = [("photo.changed", {"photo_id": 1}), ("photo.deleted", {"photo_id": 1})]
        assert await for_guest.wait_for(5) == [
            ("photo.uploaded", {"photo_id": 1}),
            ("photo.matched", {"photo_id": 1}),
            ("selfie.matched", {"matched": 4}),
            *shared_end,
        ]
        assert await for_other.wait_for(3) == [("photo.uploaded", {"photo_id": 1}), *shared_end]
        for stream in (for_photographer, for_admin):
            assert await stream.wait_for(5) == [
                ("photo.uploaded", {"photo_id": 1}),
                ("photo.matched", {"photo_id": 1, "matched": 1}),
                ("photo.failed", {"photo_id": 2, "reason": "truncated"}),
                *shared_end,
            ]


async def test_whoever_hears_of_a_change_loads_the_new_list(
    world: World, client: httpx.AsyncClient
) -> None:
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    selfie_id = await world.selfie(guest)
    async with open_stream(client, event_id, guest.headers) as stream:
        for number in range(1, 11):
            await client.get("/api/my-photos", headers=guest.headers)
            photo_id = await world.photo(event_id)
            await world.match(guest, event_id, [photo_id], selfie_id)
            await world.publish(
                PhotoMatched(event_id=event_id, photo_id=photo_id, user_ids=(guest.id,))
            )
            await stream.wait_for(number)
            answer = await client.get("/api/my-photos", headers=guest.headers)
            assert len(answer.json()) == number


async def test_other_events_streams_are_not_found(world: World, client: httpx.AsyncClient) -> None:
    event_id = await world.event(await world.photographer())
    outsiders = [
        await world.person(joined=await world.event()),
        await world.photographer(),
    ]
    for person in outsiders:
        answer = await client.get(f"/api/events/{event_id}/stream", headers=person.headers)
        assert answer.status_code == 404
    admin = await world.admin()
    answer = await client.get(f"/api/events/{event_id + 100}/stream", headers=admin.headers)
    assert answer.status_code == 404


async def test_a_browser_opens_the_stream_by_its_cookie(
    world: World, client: httpx.AsyncClient
) -> None:
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    cookie = {"Cookie": f"access_token={guest.token}"}
    async with open_stream(client, event_id, cookie) as stream:
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        assert stream.response.headers["cache-control"] == "no-store"
        assert stream.response.headers["x-accel-buffering"] == "no"


async def test_who_comes_back_is_told_of_the_gap(world: World, client: httpx.AsyncClient) -> None:
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    async with open_stream(client, event_id, guest.headers) as stream:
        await eventually(lambda: stream.last_id, message="no id came before the first event")
    resumed = guest.headers | {"Last-Event-ID": stream.last_id}
    async with open_stream(client, event_id, resumed) as stream:
        assert await stream.wait_for(1) == [("gap", {})]


async def test_a_message_nobody_understands_is_a_gap(
    world: World, client: httpx.AsyncClient
) -> None:
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    known = PhotoUploaded(event_id=event_id, photo_id=1, seen_by_all=True).outgoing()
    async with open_stream(client, event_id, guest.headers) as stream:
        await world.bus.publish(OutgoingMessage(known.routing_key, b"{}", "1", mandatory=False))
        assert await stream.wait_for(1) == [("gap", {})]
        await world.publish(PhotoUploaded(event_id=event_id, photo_id=1, seen_by_all=True))
        assert (await stream.wait_for(2))[1] == ("photo.uploaded", {"photo_id": 1})


async def test_streams_beyond_the_limit_are_asked_to_come_back(
    world: World, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_of(world), "_max_streams", 1)
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    async with open_stream(client, event_id, guest.headers):
        answer = await client.get(f"/api/events/{event_id}/stream", headers=guest.headers)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0

    async def has_room() -> bool:
        try:
            async with open_stream(client, event_id, guest.headers):
                return True
        except httpx.HTTPStatusError:
            return False

    await eventually(has_room)


async def test_a_client_that_goes_leaves_nothing_behind(
    world: World, client: httpx.AsyncClient
) -> None:
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    for _ in range(3):
        async with open_stream(client, event_id, guest.headers):
            pass
    await eventually(lambda: not live_of(world)._streams)
    assert live_of(world)._by_account.total() == 0


async def test_open_streams_end_when_the_service_stops(
    world: World, client: httpx.AsyncClient
) -> None:
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    async with open_stream(client, event_id, guest.headers) as stream:
        await world.app.state.stopping.begin()
        await eventually(lambda: stream.has_ended)


async def test_a_photographers_stream_ends_when_the_event_is_given_to_another_one(
    world: World, client: httpx.AsyncClient
) -> None:
    before, after, admin = (
        await world.photographer(),
        await world.photographer(),
        await world.admin(),
    )
    event_id = await world.event(before)
    guest = await world.person(joined=event_id)
    async with (
        open_stream(client, event_id, before.headers) as ending,
        open_stream(client, event_id, admin.headers) as for_admin,
        open_stream(client, event_id, guest.headers) as for_guest,
    ):
        answer = await client.put(
            f"/api/admin/events/{event_id}",
            json={"photographer_id": after.id},
            headers=admin.headers,
        )
        assert answer.status_code == 200
        ((topic, body),) = await world.sent()
        assert topic == "event.changed"
        await world.publish(EventChanged.model_validate(body))
        await world.publish(PhotoUploaded(event_id=event_id, photo_id=1, seen_by_all=True))
        await eventually(lambda: ending.has_ended)
        assert ending.events == [("event.changed", {})]
        for stream in (for_admin, for_guest):
            assert await stream.wait_for(2) == [
                ("event.changed", {}),
                ("photo.uploaded", {"photo_id": 1}),
            ]


async def test_a_photographers_stream_ends_also_when_no_message_tells_of_the_change(
    world: World, client: httpx.AsyncClient
) -> None:
    before, after = await world.photographer(), await world.photographer()
    given, kept = await world.event(before), await world.event(before)
    async with (
        open_stream(client, given, before.headers) as ending,
        open_stream(client, kept, before.headers) as staying,
    ):
        await world.change(events, given, photographer_id=after.id)
        await end_given_away(live_of(world), world.services_database)
        await eventually(lambda: ending.has_ended)
        await world.publish(PhotoUploaded(event_id=kept, photo_id=1))
        assert await staying.wait_for(1) == [("photo.uploaded", {"photo_id": 1})]


def told_of_photo(stream: Stream) -> bool:
    return any(name == "photo.uploaded" for name, _ in stream.events)


async def test_the_stream_of_a_guest_who_was_taken_out_ends_and_no_other_one(
    world: World, client: httpx.AsyncClient
) -> None:
    photographer = await world.photographer()
    event_id, other_id = await world.event(photographer), await world.event(photographer)
    guest, friend = await world.person(joined=event_id), await world.person(joined=event_id)
    await world.join(guest, other_id)
    async with (
        open_stream(client, event_id, guest.headers) as ending,
        open_stream(client, other_id, guest.headers) as elsewhere,
        open_stream(client, event_id, friend.headers) as of_friend,
        open_stream(client, event_id, photographer.headers) as of_photographer,
    ):
        removed = await client.delete(
            f"/api/photographer/events/{event_id}/guests/{guest.id}", headers=photographer.headers
        )
        assert removed.is_success
        await end_removed(live_of(world), world.services_database)
        await eventually(lambda: ending.has_ended)
        for event, streams in ((event_id, (of_friend, of_photographer)), (other_id, (elsewhere,))):
            await world.publish(PhotoUploaded(event_id=event, photo_id=1, seen_by_all=True))
            for stream in streams:
                await eventually(partial(told_of_photo, stream))

"""Kept lists are answered at once as their endpoints answer them, and only while they may be."""

from datetime import timedelta

import pytest
from sqlalchemy import func, update

from libs.common.database.tables import events
from libs.common.messaging.messages import AccountChanged, PhotoMatched
from libs.common.web.service_app import ServiceApp
from services.gallery.gallery import Gallery
from tests.gallery.world import World
from tests.support.at_once import App, assert_at_hand, at_hand, by_asgi
from tests.support.people import Person
from tests.support.polling import eventually


@pytest.fixture
async def event_id(world: World) -> int:
    return await world.event((await world.photographer()).id)


@pytest.fixture
async def guest(world: World, event_id: int) -> Person:
    """Of an event of 20 photos, five of which show them."""
    found = await world.person(joined=event_id)
    shown = [await world.photo(event_id) for _ in range(20)]
    await world.match(found, event_id, shown[:5], await world.selfie(found))
    return found


def app_of(world: World) -> App:
    assert isinstance(world.app, ServiceApp)
    return world.app


async def test_kept_lists_are_at_hand_in_every_form(
    world: World, guest: Person, event_id: int
) -> None:
    app = app_of(world)
    lists = (
        "/api/my-photos",
        "/api/all-photos",
        "/api/my-uncertain-photos",
        f"/api/user/events/{event_id}/photos",
        f"/api/user/events/{event_id}/all-photos",
        f"/api/user/events/{event_id}/uncertain-photos",
    )
    for address in lists:
        orders = (
            "?limit=3&sort=taken",
            "?limit=4&direction=asc",
            "?limit=5&sort=taken&direction=asc",
        )
        for query in ("", *orders, "?limit=3", "?limit=100000"):
            status, told, body = await assert_at_hand(app, address + query, guest.headers)
            assert status == 200
            again = {"If-None-Match": told["etag"]}
            unchanged = await assert_at_hand(app, address + query, guest.headers | again)
            assert unchanged[0] == 304
            for coding in ("zstd", "gzip;q=0.5"):
                accepted = {"Accept-Encoding": coding}
                seen = await assert_at_hand(app, address + query, guest.headers | accepted)
                assert ("content-encoding" in seen[1]) == (len(body) >= 1400)
        if "link" in told:
            following = told["link"].partition(">")[0].removeprefix("<")
            assert (await assert_at_hand(app, following, guest.headers))[0] == 200
    cookie = {"Cookie": f"other=1; access_token={guest.token}"}
    assert (await assert_at_hand(app, lists[0], cookie))[0] == 200


async def test_whatever_a_process_does_not_know_is_the_endpoints(
    world: World, guest: Person, event_id: int
) -> None:
    app = app_of(world)
    stranger, photographer = await world.person(), await world.photographer()
    mine = f"/api/user/events/{event_id}/photos"
    assert at_hand(app, mine, guest.headers) is None
    await assert_at_hand(app, mine, guest.headers)
    for address, headers in (
        (f"/api/user/events/{event_id}/all-photos", guest.headers),
        (mine, guest.headers | {"Accept-Encoding": "gzip"}),
        (f"{mine}?limit=0", guest.headers),
        (f"{mine}?limit=1&limit=2", guest.headers),
        (f"{mine}?limit=1&cursor=nonsense", guest.headers),
        (f"{mine}?cb=1", guest.headers),
        ("/api/user/events/0/photos", guest.headers),
        ("/api/user/events/99999999999999999999/photos", guest.headers),
        ("/api/user/events/one/photos", guest.headers),
        (mine, stranger.headers),
        (mine, photographer.headers),
        (mine, {}),
        (mine, {"Authorization": "Bearer nonsense"}),
        ("/api/my-photos", stranger.headers),
    ):
        answered = await by_asgi(app, address, headers)
        found = at_hand(app, address, headers)
        # What was right is kept now; what was wrong, and what is asked for in another form, is not.
        assert found in (None, answered)
        assert found is None or answered[0] == 200


async def test_a_list_is_at_hand_no_longer_than_its_caller_may_have_it(
    world: World, guest: Person, event_id: int
) -> None:
    app, address = app_of(world), f"/api/user/events/{event_id}/photos"
    gallery: Gallery = world.app.state.gallery

    async def kept() -> None:
        assert (await assert_at_hand(app, address, guest.headers))[0] == 200

    await kept()
    await world.publish(PhotoMatched(event_id=event_id, photo_id=1, user_ids=(guest.id,)))
    await eventually(lambda: at_hand(app, address, guest.headers) is None)

    await kept()
    gallery.ends.forget(event_id)
    assert at_hand(app, address, guest.headers) is None
    await kept()
    await world.execute(update(events).values(expires_at=func.now() - timedelta(seconds=1)))
    gallery.ends.forget(event_id)
    await gallery.ends.of(event_id)
    assert at_hand(app, address, guest.headers) is None
    await world.execute(update(events).values(expires_at=func.now() + timedelta(days=1)))
    gallery.ends.forget(event_id)

    await kept()
    await world.publish(AccountChanged(user_id=guest.id))
    await eventually(lambda: at_hand(app, address, guest.headers) is None)

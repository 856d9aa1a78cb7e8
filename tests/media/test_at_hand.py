"""Renditions that are there are answered at once as their endpoint answers them."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, update

from libs.common.database.tables import events
from libs.common.web.service_app import ServiceApp
from libs.common.web.signed_urls import KEPT
from services.media.responses.object_response import SMALL_FILE_BYTES
from tests.media.world import World, jpeg
from tests.support.at_once import App, assert_at_hand, at_hand, by_asgi


def app_of(world: World) -> App:
    assert isinstance(world.app, ServiceApp)
    return world.app


async def test_a_rendition_that_is_there_is_at_hand_in_every_form(world: World) -> None:
    app = app_of(world)
    photo = await world.photo(await world.event(), jpeg())
    for name in ("thumbnail", "preview"):
        link = world.link(photo.rendition_key(name))
        assert at_hand(app, link, {}) is None
        await by_asgi(app, link, {})
        status, told, body = await assert_at_hand(app, link, {})
        assert status == 200
        etag = told["etag"]
        for fields, expected in (
            ({"If-None-Match": etag}, 304),
            ({"If-None-Match": '"another"'}, 200),
            ({"If-Match": '"another"'}, 412),
            ({"Range": "bytes=2-5"}, 206),
            ({"Range": "bytes=-5", "If-Range": etag}, 206),
            ({"Range": "bytes=2-5", "If-Range": '"another"'}, 200),
            ({"Range": f"bytes={len(body)}-"}, 416),
            ({"Range": "bytes=0-1,3-4"}, 200),
        ):
            assert (await assert_at_hand(app, link, fields))[0] == expected
        assert (await assert_at_hand(app, link, {}, method="HEAD"))[2] == b""
        over = world.signed_urls.sign(
            KEPT + photo.rendition_key(name), datetime.now(UTC) + timedelta(days=1)
        )
        await assert_at_hand(app, over, {})


async def test_what_is_not_to_be_seen_or_not_small_is_the_endpoints(world: World) -> None:
    app = app_of(world)
    photo = await world.photo(await world.event(), jpeg())
    key = photo.rendition_key("thumbnail")
    link = world.link(key)
    await world.client.get(link)
    await assert_at_hand(app, link, {})
    for address in (
        world.link(photo.key),
        world.link(photo.guest_copy_key),
        world.link("events/1/renditions/a/b/thumbnail.webp"),
        link[:-1],
        world.signed_urls.sign(key, datetime.now(UTC) - timedelta(seconds=1)),
    ):
        await by_asgi(app, address, {})
        assert at_hand(app, address, {}) is None
    await assert_at_hand(app, link + "&more=1", {})

    await world.store.put(key, bytes(SMALL_FILE_BYTES + 1), content_type="image/webp")
    assert at_hand(app, link, {}) is None
    await world.store.delete(key)
    assert at_hand(app, link, {}) is None


async def test_a_rendition_is_at_hand_no_longer_than_its_event_goes_on(world: World) -> None:
    app = app_of(world)
    photo = await world.photo(await world.event(), jpeg())
    link = world.link(photo.rendition_key("thumbnail"))
    await world.client.get(link)
    await assert_at_hand(app, link, {})
    world.app.state.ends.forget(photo.event_id)
    assert at_hand(app, link, {}) is None
    await world.execute(update(events).values(expires_at=func.now() - timedelta(seconds=1)))
    assert (await by_asgi(app, link, {}))[0] == 410
    assert at_hand(app, link, {}) is None

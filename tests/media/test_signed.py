from datetime import UTC, datetime, timedelta

import pytest

from libs.common.storage import keys
from tests.media.world import World


async def test_a_signed_link_needs_no_login_and_may_be_cached_by_anybody(any_world: World) -> None:
    photo = await any_world.photo(await any_world.event(), original_filename="a b.jpg")

    answer = await any_world.client.get(any_world.link(photo.key))

    assert answer.status_code == 200
    assert answer.content == photo.data
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-disposition"] == 'inline; filename="a b.jpg"'


async def test_a_signed_link_serves_heads_ranges_and_second_visits(any_world: World) -> None:
    photo = await any_world.photo(await any_world.event())
    link = any_world.link(photo.key)

    head = await any_world.client.head(link)
    part = await any_world.client.get(link, headers={"Range": "bytes=4-8"})
    again = await any_world.client.get(link, headers={"If-None-Match": head.headers["etag"]})

    assert (head.status_code, head.headers["content-length"]) == (200, str(len(photo.data)))
    assert (part.status_code, part.content) == (206, photo.data[4:9])
    assert again.status_code == 304


async def test_an_expired_link_says_so(world: World) -> None:
    photo = await world.photo(await world.event())
    past = datetime.now(UTC) - timedelta(seconds=1)

    answer = await world.client.get(world.signed_urls.sign(photo.key, past))

    assert answer.status_code == 403
    assert answer.json() == {"detail": "This link has expired."}


@pytest.mark.parametrize("query", ["", "?e=1&s=x", "?e=9999999999&s=x", "?e=x&s=y", "?s=y"])
async def test_a_link_that_was_not_signed_is_refused(world: World, query: str) -> None:
    photo = await world.photo(await world.event())

    answer = await world.client.get(f"/api/media/{photo.key}{query}")

    assert answer.status_code == 403
    assert answer.json() == {"detail": "This link is not valid."}


async def test_a_link_opens_no_other_photo(world: World) -> None:
    event = await world.event()
    photo, other = await world.photo(event), await world.photo(event)

    stolen = world.link(photo.key).replace(photo.filename, other.filename)

    assert (await world.client.get(stolen)).status_code == 403


async def test_a_deleted_photo_is_gone_though_its_link_is_valid(world: World) -> None:
    photo = await world.photo(await world.event())
    await world.delete_row(photo)

    assert (await world.client.get(world.link(photo.key))).status_code == 404


async def test_a_photo_is_not_found_under_another_event(world: World) -> None:
    photo = await world.photo(await world.event())
    elsewhere = keys.photo_key(photo.event_id + 1, photo.filename)

    assert (await world.client.get(world.link(elsewhere))).status_code == 404


async def test_only_photos_and_renditions_have_links(world: World) -> None:
    guest = await world.person()
    selfie = await world.selfie(guest)

    for key in (selfie, "events/1/photos/a/b", "events/01/photos/a", "../secret"):
        assert (await world.client.get(world.link(key))).status_code in {403, 404}

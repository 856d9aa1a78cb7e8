import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, text, update

from libs.common.database.tables import events
from libs.common.rights.event_ends import EventEnds
from libs.common.storage import keys
from libs.common.storage.folder import FolderStore
from libs.common.web.signed_urls import KEPT
from services.gallery.events.links import LINK_TURN, PhotoLinks
from services.gallery.events.rules import EventEnd
from services.media.settings import MediaSettings
from tests.media.world import World, cached_seconds, jpeg, running_world
from tests.support.rows import NEXT_MONTH
from tests.support.settings import settings_of


@contextlib.asynccontextmanager
async def locked_table(world: World) -> AsyncIterator[None]:
    """Let nobody read events, as if the database did not answer."""
    async with world.database.unit_of_work(patient=True) as unit:
        await unit.connection.execute(text("LOCK TABLE events IN ACCESS EXCLUSIVE MODE"))
        yield


async def test_a_signed_link_needs_no_login_and_is_cached_until_the_event_ends(
    any_world: World,
) -> None:
    photo = await any_world.photo(await any_world.event(), original_filename="a b.jpg")

    answer = await any_world.client.get(any_world.link(photo.key))

    assert answer.status_code == 200
    assert answer.content == photo.data
    assert answer.headers["content-type"] == "image/jpeg"
    month = (NEXT_MONTH - datetime.now(UTC)).total_seconds()
    assert month - 60 < cached_seconds(answer) <= month
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

    assert answer.status_code == 410
    assert answer.json() == {"detail": "This link has expired."}


async def test_no_link_is_cached_for_more_than_a_year(world: World) -> None:
    in_two_years = datetime.now(UTC) + timedelta(days=730)
    photo = await world.photo(await world.event(expires_at=in_two_years))
    answer = await world.client.get(world.signed_urls.sign(photo.key, in_two_years))
    assert cached_seconds(answer) == 365 * 24 * 60 * 60


@pytest.mark.parametrize("rendition", [None, "thumbnail"])
async def test_a_link_ends_with_its_event_whatever_it_says_itself(
    world: World, rendition: str | None
) -> None:
    photo = await world.photo(await world.event(), jpeg())
    key = photo.rendition_key(rendition) if rendition else photo.key
    link = world.link(key)
    assert (await world.client.get(link)).status_code == 200
    await world.execute(update(events).values(expires_at=func.now() - timedelta(seconds=1)))
    world.app.state.ends.forget(photo.event_id)
    for method in ("GET", "HEAD"):
        answer = await world.client.request(method, link)
        assert answer.status_code == 410
    again = await world.client.get(link, headers={"If-None-Match": "*"})
    assert again.status_code == 410
    await world.execute(update(events).values(expires_at=NEXT_MONTH))
    world.app.state.ends.forget(photo.event_id)
    assert (await world.client.get(link)).status_code == 200


async def test_who_runs_an_ended_event_has_links_until_it_is_erased(world: World) -> None:
    photo = await world.photo(await world.event(), jpeg())
    await world.execute(update(events).values(expires_at=func.now() - timedelta(seconds=1)))
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    for key in (photo.key, photo.rendition_key("thumbnail")):
        link = world.signed_urls.sign(KEPT + key, tomorrow)
        answer = await world.client.get(link)
        assert answer.status_code == 200
        assert 0 < cached_seconds(answer) <= 24 * 60 * 60
        # It is a link of its own, not the guests' with another beginning.
        assert (await world.client.get(link.replace(KEPT, ""))).status_code == 403
    await world.execute(update(events).values(erasure_began_at=func.now()))
    world.app.state.ends.forget(photo.event_id)
    assert (await world.client.get(link)).status_code == 410


async def test_without_the_database_a_thumbnail_is_served_as_long_as_its_link_says(
    database_url: str, folder_store: FolderStore
) -> None:
    # Whoever waited for this one would never come back.
    silent = settings_of(MediaSettings, database_url, db_lock_timeout=3600, db_command_timeout=3600)
    async with running_world(silent, folder_store) as world:
        photo = await world.photo(await world.event(), jpeg())
        link = world.link(photo.rendition_key("thumbnail"))
        assert (await world.client.get(link)).status_code == 200
        ends: EventEnds = world.app.state.ends
        ends.forget(photo.event_id)
        async with locked_table(world):
            assert (await world.client.get(link)).status_code == 200
            assert (await world.client.get(link)).status_code == 200


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


async def test_the_link_of_a_thumbnail_gives_what_guests_get_and_not_the_original(
    world: World,
) -> None:
    photo = await world.photo(await world.event(), jpeg())
    thumbnail = photo.rendition_key("thumbnail")
    query = world.link(thumbnail).partition("?")[2]
    for key in (thumbnail, photo.rendition_key("preview"), photo.guest_copy_key):
        assert (await world.client.get(f"/api/media/{key}?{query}")).status_code == 200
    assert (await world.client.get(f"/api/media/{photo.key}?{query}")).status_code == 403


@pytest.mark.parametrize("is_over", [False, True])
async def test_the_link_of_a_cover_gives_nothing_else_of_the_photo(
    world: World, is_over: bool
) -> None:
    photo = await world.photo(await world.event(), jpeg())
    if is_over:
        await world.execute(update(events).values(expires_at=func.now() - timedelta(seconds=1)))
    end = EventEnd(NEXT_MONTH, is_over, NEXT_MONTH)
    links = PhotoLinks(world.signed_urls, grace=timedelta(days=30))
    link = links.of_cover(photo.event_id, photo.filename, end, now=datetime.now(UTC))
    answer = await world.client.get(link)
    assert answer.status_code == 200
    assert 0 < cached_seconds(answer) <= 2 * LINK_TURN.total_seconds()
    for other in (photo.guest_copy_key, photo.rendition_key("thumbnail"), photo.key):
        stolen = link.replace(photo.rendition_key("preview"), other)
        assert stolen != link
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

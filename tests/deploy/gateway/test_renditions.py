"""Renditions that the gateway sends by media's word, which counts for moments: nginx itself."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, update

from libs.common.database.tables import events
from libs.common.storage.folder import FolderStore
from libs.common.telemetry.metrics import HTTP_REQUESTS
from libs.common.web.signed_urls import KEPT
from services.media.responses.delivery import DeliveryMode
from services.media.responses.headers import DECISION_SECONDS
from services.media.settings import MediaSettings
from tests.deploy.gateway.test_delivery import Delivered, answers_alike
from tests.media.world import Photo, jpeg, running_world
from tests.support.nginx import running_gateway
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.services import ServiceMissing, free_port
from tests.support.settings import settings_of


@pytest.fixture
async def delivered(database_url: str, tmp_path: Path) -> AsyncIterator[Delivered]:
    settings = settings_of(MediaSettings, database_url, media_delivery=DeliveryMode.ACCEL)
    async with AsyncExitStack() as stack:
        store = await FolderStore.open(tmp_path / "store")
        world = await stack.enter_async_context(running_world(settings, store))
        urls = dict.fromkeys(("ingest", "gallery", "media"), str(world.client.base_url))
        try:
            url = stack.enter_context(running_gateway(urls, tmp_path, objects=tmp_path / "store"))
        except ServiceMissing as error:
            pytest.skip(str(error))
        client = httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS)
        yield Delivered(world, await stack.enter_async_context(client))


@pytest.fixture
async def photo(delivered: Delivered) -> Photo:
    return await delivered.world.photo(await delivered.world.event(), jpeg())


def asked_of_media(method: str) -> float:
    """How often media was asked for objects that it gave."""
    counted = HTTP_REQUESTS.labels("media", method, "/api/media/{key:path}", 200)
    value: float = counted._value.get()
    return value


async def test_media_is_asked_once_by_all_who_come_within_moments(
    delivered: Delivered, photo: Photo
) -> None:
    for name in ("thumbnail", "preview"):
        link = delivered.world.link(photo.rendition_key(name))
        made = await delivered.gateway.get(link)  # by media, as nobody has made it before
        assert made.status_code == 200
        heads, gets, began = asked_of_media("HEAD"), asked_of_media("GET"), time.monotonic()
        for _ in range(30):
            answer = await delivered.gateway.get(link)
            assert answer.content == made.content
        turns = (time.monotonic() - began) / DECISION_SECONDS + 2
        assert 1 <= asked_of_media("HEAD") - heads <= turns
        assert asked_of_media("GET") == gets
        await answers_alike(delivered, link, {})
        for header in ("etag", "content-type", "cache-control", "x-request-id"):
            assert len(answer.headers.get_list(header)) == 1
        assert "last-modified" not in answer.headers
        assert not [header for header in answer.headers if header.startswith("x-accel")]
    kept = delivered.world.signed_urls.sign(
        KEPT + photo.rendition_key("thumbnail"), datetime.now(UTC) + timedelta(days=1)
    )
    await answers_alike(delivered, kept, {})


async def test_conditions_ranges_and_heads_are_answered_as_by_media(
    delivered: Delivered, photo: Photo
) -> None:
    link = delivered.world.link(photo.rendition_key("thumbnail"))
    etag = (await delivered.gateway.get(link)).headers["etag"]
    for headers, expected in (
        ({"If-None-Match": etag}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"Range": "bytes=2-9"}, 206),
        ({"Range": "bytes=2-9", "If-Range": etag}, 206),
        ({"If-Match": etag}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-Unmodified-Since": "Tue, 15 Nov 1994 12:45:26 GMT"}, 200),
        ({"If-Modified-Since": "Tue, 15 Nov 2044 12:45:26 GMT"}, 200),
    ):
        answer = await delivered.gateway.get(link, headers=headers)
        assert answer.status_code == expected, headers
        assert answer.headers["etag"] == etag
    head = await delivered.gateway.head(link)
    assert (head.status_code, head.headers["etag"]) == (200, etag)
    post = await delivered.gateway.post(link)
    assert post.status_code == 405


async def test_what_media_refuses_is_refused_in_its_words(
    delivered: Delivered, photo: Photo
) -> None:
    world, key = delivered.world, photo.rendition_key("thumbnail")
    await delivered.gateway.get(world.link(key))
    for link in (
        world.link(key)[:-1],
        f"/api/media/{key}",
        world.link(photo.key).replace(photo.key, key),
        world.signed_urls.sign(key, datetime.now(UTC) - timedelta(seconds=1)),
        world.link(photo.rendition_key("thumbnail").replace(photo.filename, "none.jpg")),
    ):
        own, answer = await delivered.both(link, {})
        assert own.status_code in {403, 404, 410}
        assert (answer.status_code, answer.json()) == (own.status_code, own.json())
        assert answer.headers["cache-control"] == own.headers["cache-control"]


async def test_an_event_that_ends_and_a_photo_that_goes_are_not_seen_for_long(
    delivered: Delivered, photo: Photo
) -> None:
    world, key = delivered.world, photo.rendition_key("thumbnail")
    link = world.link(key)
    assert (await delivered.gateway.get(link)).status_code == 200
    # Its end is known beforehand: nobody's word counts beyond it.
    await world.execute(update(events).values(expires_at=func.now() + timedelta(seconds=1)))
    world.app.state.ends.forget(photo.event_id)

    async def is_refused() -> bool:
        return (await delivered.gateway.get(link)).status_code == 410

    await eventually(is_refused)
    await world.execute(update(events).values(expires_at=func.now() + timedelta(days=1)))
    world.app.state.ends.forget(photo.event_id)

    assert (await delivered.gateway.get(link)).status_code == 200
    await world.delete_row(photo)
    await world.store.delete(key)
    await world.store.delete(photo.key)
    assert (await delivered.gateway.get(link)).status_code == 404


async def test_while_media_is_away_the_gateway_says_so(tmp_path: Path) -> None:
    key = "events/1/renditions/a.jpg/thumbnail.webp"
    file = tmp_path / "store" / key
    file.parent.mkdir(parents=True)
    file.write_bytes(b"a thumbnail")
    urls = dict.fromkeys(("ingest", "gallery", "media"), f"http://127.0.0.1:{free_port()}")
    try:
        with running_gateway(urls, tmp_path, objects=tmp_path / "store") as url:
            async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client:
                answer = await client.get(f"/api/media/{key}?e=9999999999&s=x")
    except ServiceMissing as error:
        pytest.skip(str(error))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["detail"].startswith("This cannot be reached now.")

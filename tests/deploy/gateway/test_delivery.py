"""Objects that the gateway sends for media: nginx itself before the service itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from libs.common.storage.folder import FolderStore
from libs.common.web.auth import Role
from services.media.archives import source
from services.media.responses.delivery import DeliveryMode
from services.media.settings import MediaSettings
from tests.media.world import Photo, World, jpeg, running_world
from tests.support.nginx import running_gateway
from tests.support.polling import PATIENCE_SECONDS
from tests.support.services import ServiceMissing
from tests.support.settings import settings_of
from tests.support.stores import KINDS, opened

#: Of the answer's headers those that do not tell who sent it.
COMPARED = (
    "cache-control",
    "content-disposition",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "etag",
    "referrer-policy",
    "vary",
    "x-content-type-options",
)


@dataclass(frozen=True)
class Delivered:
    """Media, asked directly and through the gateway."""

    world: World
    gateway: httpx.AsyncClient

    async def both(
        self, path: str, headers: dict[str, str], method: str = "GET"
    ) -> tuple[httpx.Response, httpx.Response]:
        return (
            await self.world.client.request(method, path, headers=headers),
            await self.gateway.request(method, path, headers=headers),
        )


@pytest.fixture(params=KINDS)
async def delivered(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path
) -> AsyncIterator[Delivered]:
    is_s3 = request.param == "s3"
    settings = settings_of(
        MediaSettings,
        database_url,
        media_delivery=DeliveryMode.ACCEL,
        photo_bucket_name="named" if is_s3 else None,
    )
    async with AsyncExitStack() as stack:
        store = (await stack.enter_async_context(opened(request.param, request, tmp_path))).store
        world = await stack.enter_async_context(running_world(settings, store))
        url = str(world.client.base_url)
        urls = dict.fromkeys(("ingest", "gallery", "media"), url)
        try:
            gateway_url = stack.enter_context(
                running_gateway(urls, tmp_path, objects=tmp_path / "store")
            )
        except ServiceMissing as error:
            pytest.skip(str(error))
        client = httpx.AsyncClient(base_url=gateway_url, timeout=PATIENCE_SECONDS)
        yield Delivered(world, await stack.enter_async_context(client))


async def photo_of(world: World) -> Photo:
    return await world.photo(await world.event(), jpeg(), original_filename="zwei Köche.jpg")


async def answers_alike(delivered: Delivered, path: str, headers: dict[str, str]) -> httpx.Response:
    """Return the gateway's answer, which is as the one that media would send itself."""
    handed, answer = await delivered.both(path, headers)
    assert handed.content == b""
    delivered.world.app.state.delivery._mode = DeliveryMode.STREAM
    own = await delivered.world.client.get(path, headers=headers)
    delivered.world.app.state.delivery._mode = DeliveryMode.ACCEL
    assert (answer.status_code, answer.content) == (own.status_code, own.content)
    of_own, of_answer = (
        {name: one.headers.get(name) for name in COMPARED} for one in (own, answer)
    )
    seconds = [found.pop("cache-control").rpartition("=")[0] for found in (of_own, of_answer)]
    assert seconds[0] == seconds[1]
    assert of_answer == of_own
    return answer


async def test_the_gateway_sends_what_media_would(delivered: Delivered) -> None:
    photo = await photo_of(delivered.world)
    for path in (
        delivered.world.link(photo.key),
        delivered.world.link(photo.rendition_key("thumbnail")),
    ):
        await delivered.world.client.get(path)  # made
        answer = await answers_alike(delivered, path, {})
        assert answer.status_code == 200
        assert len(answer.headers.get_list("etag")) == 1
        assert len(answer.headers.get_list("content-type")) == 1
        assert len(answer.headers.get_list("cache-control")) == 1
        assert "x-object-url" not in answer.headers


async def test_ranges_are_those_of_the_object_that_the_client_has(delivered: Delivered) -> None:
    photo = await photo_of(delivered.world)
    path = delivered.world.link(photo.key)
    etag = (await delivered.gateway.get(path)).headers["etag"]
    part = await answers_alike(delivered, path, {"Range": "bytes=10-99"})
    assert (part.status_code, part.content) == (206, photo.data[10:100])
    same = await answers_alike(delivered, path, {"Range": "bytes=10-99", "If-Range": etag})
    assert same.status_code == 206
    other = await answers_alike(delivered, path, {"Range": "bytes=10-99", "If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, photo.data)


async def test_a_download_goes_on_where_the_object_is_the_same(delivered: Delivered) -> None:
    """As Android's DownloadManager does it. nginx itself has no tag, and another date."""
    photo = await photo_of(delivered.world)
    path = delivered.world.link(photo.key)
    etag = (await delivered.gateway.get(path)).headers["etag"]
    then = {"If-Unmodified-Since": "Tue, 15 Nov 1994 12:45:26 GMT"}
    for conditions in ({"If-Match": etag}, {"If-Match": "*"}, then, {"If-Match": etag} | then):
        _, whole = await delivered.both(path, conditions)
        assert (whole.status_code, whole.content) == (200, photo.data)
        assert whole.headers["etag"] == etag
        _, part = await delivered.both(path, conditions | {"Range": "bytes=10-"})
        assert (part.status_code, part.content) == (206, photo.data[10:])
    for other in ('"other"', f"W/{etag}"):
        for method in ("GET", "HEAD"):
            _, refused = await delivered.both(path, {"If-Match": other}, method)
            assert (refused.status_code, refused.content) == (412, b"")
            assert refused.headers["etag"] == etag
            assert refused.headers["cache-control"] == "no-store"


async def test_a_second_visit_and_a_head_are_answered_by_media(delivered: Delivered) -> None:
    photo = await photo_of(delivered.world)
    path = delivered.world.link(photo.key)
    etag = (await delivered.gateway.get(path)).headers["etag"]
    _, again = await delivered.both(path, {"If-None-Match": etag})
    assert (again.status_code, again.headers["etag"]) == (304, etag)
    assert "cache-control" in again.headers
    _, other = await delivered.both(path, {"If-None-Match": '"other"'})
    assert other.content == photo.data
    _, head = await delivered.both(path, {}, "HEAD")
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(photo.data)))
    assert head.headers["etag"] == etag


async def test_nobody_reaches_an_object_but_through_media(delivered: Delivered) -> None:
    photo = await photo_of(delivered.world)
    for path in (f"/objects/{photo.key}", "/objects-in-s3", f"//objects/{photo.key}"):
        assert (await delivered.gateway.get(path)).status_code == 404
    forged = await delivered.gateway.get(
        f"/api/media/{photo.key}", headers={"X-Accel-Redirect": f"/objects/{photo.key}"}
    )
    assert forged.status_code == 403


async def test_a_guest_gets_the_copy_and_never_the_original(delivered: Delivered) -> None:
    """It is put together while it is sent, whoever sends all else."""
    event = await delivered.world.event(strip_metadata=True)
    guest = await delivered.world.person(joined=event)
    photo = await delivered.world.photo(event, jpeg())
    handed, answer = await delivered.both(f"/api/photo/{photo.id}", guest.headers)
    assert b"a camera's maker" in photo.data
    assert answer.status_code == 200
    assert b"a camera's maker" not in answer.content
    assert "x-accel-redirect" not in handed.headers


async def test_a_folder_that_the_gateway_does_not_have_is_no_missing_photo(
    database_url: str, tmp_path: Path
) -> None:
    settings = settings_of(MediaSettings, database_url, media_delivery=DeliveryMode.ACCEL)
    store = await FolderStore.open(tmp_path / "store")
    async with running_world(settings, store) as world:
        photo = await photo_of(world)
        urls = dict.fromkeys(("ingest", "gallery", "media"), str(world.client.base_url))
        try:
            with running_gateway(urls, tmp_path) as url:
                answer = await asyncio.to_thread(httpx.get, url + world.link(photo.key))
        except ServiceMissing as error:
            pytest.skip(str(error))
    assert answer.status_code == 503
    assert "retry-after" in answer.headers


async def test_an_archive_comes_through_in_parts_and_breaks_off_like_media_s_own(
    delivered: Delivered, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = delivered.world
    monkeypatch.setattr(source, "PAUSE_SECONDS", 0)
    owner = await world.person(Role.PHOTOGRAPHER)
    event = await world.event(owner)
    photos = [await world.photo(event, bytes(range(251)) * 16_000) for _ in range(4)]
    link = await world.download(owner, photos)

    own, answer = await delivered.both(link, {})
    asked = {"Range": f"bytes={len(own.content) // 2}-", "If-Range": own.headers["etag"]}
    part = await delivered.gateway.get(link, headers=asked)

    assert (answer.status_code, answer.content) == (200, own.content)
    assert {name: answer.headers.get(name) for name in COMPARED} == {
        name: own.headers.get(name) for name in COMPARED
    }
    assert (part.status_code, part.content) == (206, own.content[len(own.content) // 2 :])
    await world.store.delete(photos[3].key)
    with pytest.raises(httpx.RemoteProtocolError):
        await delivered.gateway.get(link)

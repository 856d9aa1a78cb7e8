"""Uploads whose connections break, whose process dies, and which go on with another replica."""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from libs.common.database.tables import resumable_uploads
from libs.common.storage.protocol import ObjectStore
from services.ingest.resumable import holding
from services.ingest.resumable.rules import PART_BYTES
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import Gallery, new_gallery, running_ingest
from tests.ingest.test_resumable_uploads import only_photo_is
from tests.ingest.tus import Tus
from tests.support.http_server import serving
from tests.support.image_files import large_jpeg
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.stores import KINDS, opened

CONTENT = large_jpeg(3_000_000)


@dataclass(frozen=True)
class Replicas:
    """Two processes' worth of ingest, each with a server, over one database and one store."""

    gallery: Gallery
    urls: tuple[str, str]
    clients: tuple[Tus, Tus]


@pytest.fixture(params=KINDS)
async def replicas(
    request: pytest.FixtureRequest, settings: IngestSettings
) -> AsyncIterator[Replicas]:
    async with AsyncExitStack() as stack:
        store: ObjectStore = (
            await stack.enter_async_context(
                opened(request.param, request, settings.photo_store_dir)
            )
        ).store
        one = await stack.enter_async_context(running_ingest(settings, store))
        two = await stack.enter_async_context(running_ingest(settings, store))
        gallery = await new_gallery(one)
        urls = (
            await stack.enter_async_context(serving(one.app)),
            await stack.enter_async_context(serving(two.app)),
        )
        clients = [
            Tus(
                replace(gallery, ingest=ingest),
                await stack.enter_async_context(
                    httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS)
                ),
            )
            for ingest, url in zip((one, two), urls, strict=True)
        ]
        yield Replicas(gallery, urls, (clients[0], clients[1]))


@pytest.mark.parametrize("sent", [0, 1000, 1_500_000, 2_999_999])
async def test_what_arrived_before_a_break_is_kept_and_gone_on_with_elsewhere(
    replicas: Replicas, sent: int
) -> None:
    one, two = replicas.clients
    location = await one.create(len(CONTENT))
    await one.break_off(replicas.urls[0], location, 0, announced=len(CONTENT), body=CONTENT[:sent])

    assert await two.offset(location) == sent
    answer = await two.patch(location, sent, CONTENT[sent:])
    assert answer.headers["FindMe-Status"] == "queued"
    await only_photo_is(replicas.gallery, CONTENT)


async def test_a_break_in_a_large_file_keeps_all_that_arrived(replicas: Replicas) -> None:
    content = large_jpeg(2 * PART_BYTES + 77)
    sent = PART_BYTES + 1_234_567
    one, two = replicas.clients
    location = await one.create(len(content))
    await one.break_off(replicas.urls[0], location, 0, announced=len(content), body=content[:sent])
    assert await two.offset(location) == sent
    await two.patch(location, sent, content[sent:])
    await only_photo_is(replicas.gallery, content)


@pytest.mark.parametrize("sent", [1000, 2_000_000])
async def test_a_request_that_is_silent_is_taken_over_by_the_next(
    replicas: Replicas, sent: int
) -> None:
    """The client knows before the server that a connection is dead."""
    one, two = replicas.clients
    location = await one.create(len(CONTENT))
    reader, writer = await one.begin_patch(
        replicas.urls[0], location, 0, announced=len(CONTENT), body=CONTENT[:sent]
    )
    await eventually(lambda: is_held(replicas.gallery))
    async with asyncio.timeout(holding.HELD_SECONDS):
        assert await two.offset(location) == sent
    assert b" 409 " in await reader.readline()
    writer.close()
    await two.patch(location, sent, CONTENT[sent:])
    await only_photo_is(replicas.gallery, CONTENT)


async def test_of_two_requests_for_the_same_bytes_one_is_told_where_to_go_on(
    replicas: Replicas,
) -> None:
    one, two = replicas.clients
    location = await one.create(len(CONTENT))
    answers = await asyncio.gather(
        one.patch(location, 0, CONTENT[:-1]), two.patch(location, 0, CONTENT[:-1])
    )
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    assert await one.offset(location) == len(CONTENT) - 1
    last = await asyncio.gather(
        *(tus.patch(location, len(CONTENT) - 1, CONTENT[-1:]) for tus in (one, two))
    )
    assert {answer.status_code for answer in last} <= {204, 409}
    assert (await two.head(location)).headers["FindMe-Status"] == "queued"
    await only_photo_is(replicas.gallery, CONTENT)


async def test_a_holder_that_died_loses_the_upload_within_seconds(replicas: Replicas) -> None:
    """As a process that was killed leaves it: held, with an object that no row names."""
    one, two = replicas.clients
    location = await one.create(len(CONTENT))
    await one.patch(location, 0, CONTENT[:1000])
    async with replicas.gallery.ingest.resources.database.unit_of_work() as unit:
        [row] = await unit.connection.execute(
            update(resumable_uploads)
            .values(
                held_by=func.gen_random_uuid(),
                held_until=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, 1.5),
            )
            .returning(resumable_uploads.c.id)
        )
    stray = f"events/{replicas.gallery.event_id}/uploads/{row.id}/000000001000-dead"
    await replicas.gallery.ingest.resources.store.put(stray, b"stray", content_type="")

    answer = await two.patch(location, 1000, CONTENT[1000:])
    assert answer.status_code == 204
    await only_photo_is(replicas.gallery, CONTENT)


async def test_a_process_that_is_to_end_stores_what_has_arrived(replicas: Replicas) -> None:
    one, two = replicas.clients
    location = await one.create(len(CONTENT))
    reader, writer = await one.begin_patch(
        replicas.urls[0], location, 0, announced=len(CONTENT), body=CONTENT[:2_000_000]
    )
    await eventually(lambda: is_held(replicas.gallery))
    await one.gallery.ingest.app.state.context.holdings.let_go()
    assert b" 409 " in await reader.readline()
    writer.close()
    sent = await two.offset(location)
    assert 0 < sent <= 2_000_000
    await two.patch(location, sent, CONTENT[sent:])
    await only_photo_is(replicas.gallery, CONTENT)


@pytest.fixture
async def socket_tus(gallery: Gallery) -> AsyncIterator[tuple[Tus, str]]:
    async with serving(gallery.ingest.app) as url:
        yield Tus.of(gallery), url


_seeds: Iterator[int] = itertools.count(1)


@given(
    cuts=st.lists(st.tuples(st.integers(0, 150_000), st.booleans(), st.booleans()), max_size=6),
    size=st.integers(2_000, 150_000),
)
@examples(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_cuts_and_breaks_make_the_same_photo_once(
    socket_tus: tuple[Tus, str], cuts: list[tuple[int, bool, bool]], size: int
) -> None:
    """Each cut is a request: so many bytes, whether it breaks off, and whether it says the rest."""
    tus, url = socket_tus
    seed = next(_seeds)
    content = large_jpeg(8_000 + size, seed=seed)
    location = await tus.create(len(content), name=f"{seed}.jpg")
    at = 0
    for length, breaks, says_all in cuts:
        body = content[at : at + length]
        announced = len(content) - at if says_all else len(body)
        if breaks or announced != len(body):
            await tus.break_off(url, location, at, announced=announced, body=body)
        else:
            await tus.patch(location, at, body)
        at = await tus.offset(location)
        if at == len(content):
            break
    if at < len(content):
        await tus.patch(location, at, content[at:])
    assert (await tus.head(location)).headers["FindMe-Status"] == "queued"

    same = [
        photo
        for photo in await tus.gallery.ingest.photos()
        if photo.sha256 == hashlib.sha256(content).digest()
    ]
    assert [photo.original_filename for photo in same] == [f"{seed}.jpg"]
    # A request whose client went away may still delete the parts.
    await eventually(lambda: only_photos_are_stored(tus.gallery))


async def is_held(gallery: Gallery) -> bool:
    async with gallery.ingest.resources.database.read() as connection:
        return bool(
            await connection.scalar(
                select(func.count()).where(resumable_uploads.c.held_by.is_not(None))
            )
        )


async def only_photos_are_stored(gallery: Gallery) -> bool:
    return len(await gallery.ingest.objects()) == len(await gallery.ingest.photos())

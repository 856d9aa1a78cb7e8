"""What only a real socket shows: memory, clients that go away, answers to unread bodies."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
import psutil
import pytest
from prometheus_client import REGISTRY

from libs.common.database.tables import events
from libs.common.storage.keys import PARTS_DIRECTORY
from libs.common.storage.protocol import ObjectStore
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import Gallery, new_gallery, running_ingest
from tests.support.http_server import serving
from tests.support.image_files import image_file, large_jpeg
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.postgres import Postgres

BOUNDARY = "frontier"
MEGABYTE = 1024 * 1024
#: Two batches, the header, the store's own batch and the allocator's slack.
MEMORY_BOUND_MB = 24


@pytest.fixture
async def socket_gallery(gallery: Gallery) -> AsyncIterator[tuple[Gallery, str]]:
    async with serving(gallery.ingest.app) as url:
        yield gallery, url


async def test_a_large_photo_never_lies_in_memory(socket_gallery: tuple[Gallery, str]) -> None:
    gallery, url = socket_gallery
    size = 48 * MEGABYTE
    beginning = large_jpeg(MEGABYTE)

    async def body() -> AsyncIterator[bytes]:
        yield file_head("large.jpg")
        yield beginning
        for _ in range(size // 65536 - 16):
            yield bytes(65536)
        yield form_end()

    async with client(gallery, url) as http:
        # What the first upload loads and pools stays for good.
        assert (
            await http.post(gallery.url, files=one_file(large_jpeg(MEGABYTE, seed=1)))
        ).is_success
        with peak_rss() as peak:
            answer = await http.post(gallery.url, content=body(), headers=form_headers())
            grown = peak()

    assert answer.json()["enqueued"] == 1
    assert max((await gallery.ingest.objects()).values()) == size
    assert grown < MEMORY_BOUND_MB * MEGABYTE


@pytest.mark.parametrize("sent_bytes", [100, 300_000, 5 * MEGABYTE])
async def test_a_client_that_goes_away_leaves_what_was_finished_and_nothing_else(
    socket_gallery: tuple[Gallery, str], sent_bytes: int
) -> None:
    gallery, url = socket_gallery
    finished = file_head("whole.jpg") + image_file() + b"\r\n"
    unfinished = file_head("cut.jpg") + large_jpeg(6 * MEGABYTE)[:sent_bytes]

    _, writer = await start_request(gallery, url, announced=10 * MEGABYTE)
    writer.write(finished + unfinished)
    await writer.drain()
    await eventually(gallery.ingest.photos)
    writer.close()

    await eventually(is_idle)
    assert [photo.original_filename for photo in await gallery.ingest.photos()] == ["whole.jpg"]
    assert len(await gallery.ingest.objects()) == 1
    assert unfinished_parts(gallery) == []


async def test_an_event_deleted_during_the_upload_takes_the_photo_with_it(
    socket_gallery: tuple[Gallery, str],
) -> None:
    gallery, url = socket_gallery
    body = file_head("late.jpg") + image_file() + form_end()
    reader, writer = await start_request(gallery, url, announced=len(body))
    writer.write(body[:100])
    await eventually(lambda: not is_idle())

    await gallery.ingest.world.delete(events, gallery.event_id)
    writer.write(body[100:])
    status = await reader.readline()
    writer.close()

    assert b"404" in status
    assert not await gallery.ingest.objects()


async def test_a_database_lost_during_the_upload_asks_the_client_to_come_back(
    socket_gallery: tuple[Gallery, str], postgres_faults: Postgres
) -> None:
    gallery, url = socket_gallery
    content = image_file()
    body = file_head("again.jpg") + content + form_end()
    reader, writer = await start_request(gallery, url, announced=len(body))
    writer.write(body[:100])
    await eventually(lambda: not is_idle())

    await asyncio.to_thread(postgres_faults.stop)
    writer.write(body[100:])
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await asyncio.to_thread(postgres_faults.start)

    assert b" 503 " in head
    assert b"retry-after" in head.lower()
    assert not await gallery.ingest.objects()
    async with client(gallery, url) as http:
        assert (await http.post(gallery.url, files=one_file(content))).json()["enqueued"] == 1


async def test_a_client_that_stalls_is_told_so_and_leaves_nothing(
    settings: IngestSettings, store: ObjectStore
) -> None:
    impatient = settings.model_copy(update={"upload_stall_seconds": 0.2})
    async with running_ingest(impatient, store) as ingest, serving(ingest.app) as url:
        gallery = await new_gallery(ingest)
        reader, writer = await start_request(gallery, url, announced=10 * MEGABYTE)
        writer.write(file_head("slow.jpg") + large_jpeg(2 * MEGABYTE))
        await writer.drain()

        status = await reader.readline()
        writer.close()

        assert b"400" in status
        assert not await ingest.objects()
        assert unfinished_parts(gallery) == []


async def test_a_body_nobody_may_send_is_not_waited_for(
    socket_gallery: tuple[Gallery, str],
) -> None:
    gallery, url = socket_gallery
    stranger = await gallery.ingest.world.user("photographer")

    reader, writer = await start_request(
        Gallery(gallery.ingest, gallery.event_id, stranger), url, announced=10 * MEGABYTE
    )
    status = await reader.readline()
    writer.close()

    assert b"403" in status


async def test_more_uploads_than_places_are_asked_to_come_back(
    settings: IngestSettings, store: ObjectStore
) -> None:
    small = settings.model_copy(update={"max_concurrent_uploads": 1, "max_waiting_requests": 0})
    async with running_ingest(small, store) as ingest, serving(ingest.app) as url:
        gallery = await new_gallery(ingest)
        async with client(gallery, url) as http:
            _, writer = await start_request(gallery, url, announced=MEGABYTE)
            writer.write(file_head("slow.jpg"))
            await writer.drain()
            await eventually(lambda: not is_idle())

            refused = await http.post(gallery.url, files=one_file(image_file()))
            writer.close()
            await eventually(is_idle)
            accepted = await http.post(gallery.url, files=one_file(image_file()))

        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert accepted.status_code == 200


async def test_many_photos_of_one_request_are_answered_in_their_order(
    socket_gallery: tuple[Gallery, str],
) -> None:
    gallery, url = socket_gallery
    names = [f"{n:03}.jpg" for n in range(40)]
    async with client(gallery, url) as http:
        answer = await http.post(
            gallery.url,
            files=[("files", (name, image_file(seed=n))) for n, name in enumerate(names)],
        )

    assert [job["filename"] for job in answer.json()["jobs"]] == names
    assert [photo.original_filename for photo in await gallery.ingest.photos()] == names


@asynccontextmanager
async def client(gallery: Gallery, url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=url, headers=gallery.headers, timeout=PATIENCE_SECONDS
    ) as http:
        yield http


async def start_request(
    gallery: Gallery, url: str, *, announced: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a request's head that announces a body, and leave the body to the test."""
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
    headers = (
        {"Host": "ingest", "Content-Length": str(announced)} | form_headers() | gallery.headers
    )
    lines = [
        f"POST {gallery.url} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    return reader, writer


def form_headers() -> dict[str, str]:
    return {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def file_head(name: str) -> bytes:
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    ).encode()


def form_end() -> bytes:
    return f"\r\n--{BOUNDARY}--\r\n".encode()


def one_file(content: bytes) -> dict[str, tuple[str, bytes]]:
    return {"files": ("photo.jpg", content)}


@contextmanager
def peak_rss() -> Iterator[Callable[[], int]]:
    """Sample this process's resident memory; the callable tells its growth so far."""
    process = psutil.Process()
    before = peak = process.memory_info().rss
    stopped = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not stopped.wait(0.005):
            peak = max(peak, process.memory_info().rss)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield lambda: peak - before
    finally:
        stopped.set()
        sampler.join()


def is_idle() -> bool:
    return REGISTRY.get_sample_value("findme_open_uploads") == 0


def unfinished_parts(gallery: Gallery) -> list[str]:
    parts = gallery.ingest.settings.photo_store_dir / PARTS_DIRECTORY
    return [part.name for part in parts.iterdir()]

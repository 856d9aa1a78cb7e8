"""Photos that are a request's body."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from sqlalchemy import insert, select

from libs.common.database.tables import watchers
from libs.common.storage.keys import photo_key
from libs.common.storage.protocol import ObjectStore
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import Gallery, new_gallery, running_ingest
from tests.ingest.test_duplicates import age_digests, set_rule
from tests.support.http_server import serving
from tests.support.image_files import image_file, large_jpeg
from tests.support.polling import PATIENCE_SECONDS

SHA256 = hashlib.sha256(image_file()).digest()
RIGHT = base64.b64encode(SHA256).decode()
WRONG = base64.b64encode(bytes(32)).decode()


def address(gallery: Gallery, name: str = "a.jpg") -> str:
    return f"/api/events/{gallery.event_id}/photos/{name}"


async def put(
    gallery: Gallery,
    name: str = "a.jpg",
    content: bytes | AsyncIterator[bytes] | None = None,
    *,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> httpx.Response:
    return await gallery.ingest.client.put(
        address(gallery, name),
        content=image_file() if content is None else content,
        headers=gallery.headers | (headers or {}),
        **options,
    )


async def test_a_body_is_a_photo(gallery: Gallery) -> None:
    answer = await put(gallery, "IMG_1.JPG")

    [photo] = await gallery.ingest.photos()
    assert answer.status_code == 201
    assert answer.json() == {
        "job_id": photo.filename.partition(".")[0],
        "filename": "IMG_1.JPG",
        "status": "queued",
        "photo_id": photo.id,
    }
    assert (photo.original_filename, photo.sha256) == ("IMG_1.JPG", SHA256)
    assert photo.photographer_id == gallery.photographer_id
    stored = await gallery.ingest.resources.store.get(photo_key(gallery.event_id, photo.filename))
    assert stored == image_file()
    assert len(await gallery.ingest.messages()) == 1


async def test_a_body_whose_length_nobody_says_is_a_photo(gallery: Gallery) -> None:
    content = large_jpeg(3_000_017)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(content), 70_000):
            yield content[at : at + 70_000]

    assert (await put(gallery, content=pieces())).status_code == 201
    [photo] = await gallery.ingest.photos()
    assert photo.sha256 == hashlib.sha256(content).digest()


async def test_the_same_bytes_are_one_photo_for_the_events_whole_life(gallery: Gallery) -> None:
    first = (await put(gallery)).json()
    await age_digests(gallery, seconds=300 * 86_400)

    again = await put(gallery, "b.jpg")
    assert (again.status_code, again.json()) == (
        200,
        first | {"filename": "b.jpg", "status": "duplicate"},
    )
    copy = await put(gallery, params={"duplicates": "keep"})
    assert (copy.status_code, copy.json()["status"]) == (201, "queued")
    assert len(await gallery.ingest.photos()) == len(await gallery.ingest.objects()) == 2


async def test_an_event_with_the_window_has_it_for_bodies_too(gallery: Gallery) -> None:
    await set_rule(gallery, "window")
    assert (await put(gallery)).status_code == 201
    assert (await put(gallery)).status_code == 200
    await age_digests(gallery, seconds=301)
    assert (await put(gallery)).status_code == 201


async def test_a_form_and_a_body_at_once_over_two_replicas_are_one_photo(
    settings: IngestSettings, store: ObjectStore
) -> None:
    content = large_jpeg(300_000)
    async with (
        running_ingest(settings, store) as one,
        running_ingest(settings, store) as two,
    ):
        gallery = await new_gallery(one)
        other = replace(gallery, ingest=two)
        answers = await asyncio.gather(
            *(
                work
                for n in range(6)
                for work in (
                    put(gallery, f"{n}.jpg", content),
                    other.upload((f"{n}.jpg", content)),
                )
            )
        )
        found = [answer.json().get("jobs", [answer.json()])[0] for answer in answers]
        assert sorted(job["status"] for job in found) == ["duplicate"] * 11 + ["queued"]
        assert len({job["photo_id"] for job in found}) == 1
        assert len(await one.photos()) == len(await one.objects()) == 1


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (quote("Zoë & Max 100%.jpg"), "Zoë & Max 100%.jpg"),
        ("caf%E9.jpg", "café.jpg"),
        ("%E2%80%AEgpj.exe", "gpj.exe"),
        ("exists", "exists"),
        ("..%5Cup.jpg", "up.jpg"),
        ("x" * 251 + ".jpg", "x" * 251 + ".jpg"),
    ],
)
async def test_the_name_is_the_paths_last_part(gallery: Gallery, sent: str, shown: str) -> None:
    answer = await put(gallery, sent)

    assert (answer.status_code, answer.json()["filename"]) == (201, shown)
    [photo] = await gallery.ingest.photos()
    assert photo.original_filename == shown


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Repr-Digest", f"sha-256=:{RIGHT}:"),
        ("Content-Digest", f"md5=:AAAA:, sha-256=:{RIGHT}:;x=1"),
        ("Digest", f"sha-256={RIGHT}"),
        ("Digest", f"MD5=AAAA, SHA-256={RIGHT}"),
        ("Repr-Digest", "sha-512=:AAAA:"),
        ("Want-Repr-Digest", "sha-256=1"),
    ],
)
async def test_a_digest_that_is_right_or_of_another_kind_lets_a_photo_in(
    gallery: Gallery, header: str, value: str
) -> None:
    assert (await put(gallery, headers={header: value})).status_code == 201


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ({"Repr-Digest": f"sha-256=:{WRONG}:"}, "The file changed on its way"),
        ({"Content-Digest": f"sha-256=:{WRONG}:"}, "The file changed on its way"),
        ({"Digest": f"SHA-256={WRONG}"}, "The file changed on its way"),
        (
            {"Digest": f"SHA-256={WRONG}", "Repr-Digest": f"sha-256=:{RIGHT}:"},
            "contradict each other",
        ),
        ({"Repr-Digest": f"sha-256={RIGHT}"}, "The header Repr-Digest cannot be read"),
        ({"Repr-Digest": "sha-256=:AAAA:"}, "cannot be read"),
        ({"Digest": "SHA-256=*"}, "The header Digest cannot be read"),
    ],
)
async def test_a_digest_that_is_wrong_keeps_nothing(
    gallery: Gallery, headers: dict[str, str], sentence: str
) -> None:
    answer = await put(gallery, headers=headers)

    assert answer.status_code == 400
    assert sentence in answer.json()["detail"]
    await nothing_is_kept(gallery)


async def test_a_body_that_is_too_large_is_refused_whoever_says_so(
    settings: IngestSettings, store: ObjectStore
) -> None:
    small = settings.model_copy(update={"max_photo_mb": 1})
    async with running_ingest(small, store) as ingest:
        gallery = await new_gallery(ingest)
        content = large_jpeg(3_000_000)

        async def pieces() -> AsyncIterator[bytes]:
            yield content

        for body in (content, pieces()):
            answer = await put(gallery, content=body)
            assert (answer.status_code, answer.json()["detail"]) == (
                413,
                "The file is larger than 1 MB. Export it smaller.",
            )
        await nothing_is_kept(gallery)


async def test_what_is_no_photo_is_refused_in_its_own_words_and_counted(gallery: Gallery) -> None:
    async with gallery.ingest.resources.database.unit_of_work() as unit:
        watcher_id = (
            await unit.connection.execute(
                insert(watchers).values(event_id=gallery.event_id).returning(watchers.c.id)
            )
        ).scalar_one()
    sent_by: dict[str, Any] = {"params": {"watcher_id": watcher_id}}

    refused = await put(gallery, content=b"no photo", **sent_by)
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith("This is not a photo that can be read.")
    assert (await put(gallery, content=b"", **sent_by)).status_code == 400
    assert (await put(gallery, **sent_by)).status_code == 201
    assert (await put(gallery, **sent_by)).status_code == 200

    async with gallery.ingest.resources.database.read() as connection:
        [watcher] = await connection.execute(select(watchers))
    assert (watcher.ingested, watcher.failed, watcher.last_error) == (1, 2, None)
    exposition = (await gallery.ingest.client.get("/metrics")).text
    for outcome in ("enqueued", "duplicate", "refused"):
        assert f'findme_uploads_total{{outcome="{outcome}",way="put"}}' in exposition


async def test_a_full_store_is_our_fault(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    from libs.common.storage.folder import FolderStore
    from libs.common.storage.protocol import StoreUnavailable

    def refuse(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("The photo store is full.")

    monkeypatch.setattr(FolderStore, "create", refuse)
    answer = await put(gallery)

    assert answer.status_code == 503
    assert answer.json()["detail"] == "It could not be stored. The photo store is full."
    assert "retry-after" in answer.headers
    await nothing_is_kept(gallery)


async def nothing_is_kept(gallery: Gallery) -> None:
    assert await gallery.ingest.photos() == []
    assert await gallery.ingest.objects() == {}
    assert await gallery.ingest.messages() == []


class Caller:
    """A client that holds its body back, on a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, path: str, headers: dict[str, str]) -> tuple[int, str]:
        lines = [f"PUT {path} HTTP/1.1", "Host: findme", "Expect: 100-continue"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())
        return await self.answer()

    async def answer(self) -> tuple[int, str]:
        head = (
            await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)
        ).decode()
        return int(head.split()[1]), head.lower()

    async def send(self, body: bytes) -> tuple[int, str]:
        self._writer.write(body)
        return await self.answer()

    async def is_hung_up_on(self) -> bool:
        await asyncio.wait_for(self._reader.read(), PATIENCE_SECONDS)
        return self._reader.at_eof()


@pytest.fixture
async def caller(gallery: Gallery) -> AsyncIterator[Caller]:
    async with serving(gallery.ingest.app) as url:
        where = urlsplit(url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        yield Caller(reader, writer)
        writer.close()


async def test_a_body_that_is_held_back_is_asked_for(gallery: Gallery, caller: Caller) -> None:
    length = {"Content-Length": str(len(image_file()))}
    status, _ = await caller.ask(address(gallery), gallery.headers | length)
    assert status == 100

    status, head = await caller.send(image_file())
    assert status == 201
    assert "connection: close" not in head
    assert len(await gallery.ingest.photos()) == 1


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Authorization": "Bearer none"}, 401),
        ({"Content-Length": "999999999"}, 413),
        ({"Repr-Digest": "sha-256=:AAAA:"}, 400),
        ({"Authorization": None}, 403),
    ],
)
async def test_a_body_that_is_refused_beforehand_is_not_asked_for(
    gallery: Gallery, caller: Caller, changed: dict[str, str | None], status: int
) -> None:
    stranger = gallery.ingest.headers(await gallery.ingest.world.user("photographer"))
    headers = gallery.headers | {"Content-Length": "1000"} | changed
    sent = {name: value or stranger[name] for name, value in headers.items()}

    answered, head = await caller.ask(address(gallery), sent)

    assert answered == status
    # What follows on it may be the body or a request: nobody can tell.
    assert "connection: close" in head
    assert await caller.is_hung_up_on()
    await nothing_is_kept(gallery)

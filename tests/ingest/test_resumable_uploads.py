"""Uploads that go on after a break, by tus 1.0."""

import hashlib
import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, insert, select, update

from libs.common.database.tables import events, resumable_uploads, watchers
from libs.common.storage.keys import photo_key
from libs.common.storage.protocol import ObjectStore
from services.ingest.resumable import expiry
from services.ingest.resumable.rules import PART_BYTES
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import Gallery, new_gallery, running_ingest
from tests.ingest.tus import BYTES, VERSION, Tus, checksum, metadata
from tests.support.image_files import image_file, large_jpeg

CONTENT = large_jpeg(300_000)
SHA256 = hashlib.sha256(CONTENT)


@pytest.fixture
def tus(gallery: Gallery) -> Tus:
    return Tus.of(gallery)


async def rows(gallery: Gallery) -> list[Any]:
    async with gallery.ingest.resources.database.read() as connection:
        return list(await connection.execute(select(resumable_uploads)))


async def set_row(gallery: Gallery, **values: object) -> None:
    async with gallery.ingest.resources.database.unit_of_work() as unit:
        await unit.connection.execute(update(resumable_uploads).values(values))


async def only_photo_is(gallery: Gallery, content: bytes) -> Any:
    """Assert that there is one photo with this content, and nothing else in the store."""
    [photo] = await gallery.ingest.photos()
    key = photo_key(gallery.event_id, photo.filename)
    assert await gallery.ingest.objects() == {key: len(content)}
    assert await gallery.ingest.resources.store.get(key) == content
    assert len(await gallery.ingest.messages()) == 1
    return photo


async def nothing_is_kept(gallery: Gallery) -> None:
    assert await gallery.ingest.photos() == []
    assert await gallery.ingest.objects() == {}
    assert await gallery.ingest.messages() == []


async def test_what_is_spoken_is_said_to_anybody(gallery: Gallery) -> None:
    for path in ("/api/uploads", f"/api/uploads/{uuid.uuid4()}"):
        answer = await gallery.ingest.client.options(path)
        assert answer.status_code == 204
        assert answer.headers["Tus-Resumable"] == answer.headers["Tus-Version"] == "1.0.0"
        assert set(answer.headers["Tus-Extension"].split(",")) == {
            "creation", "creation-with-upload", "expiration", "checksum", "termination",
        }  # fmt: skip
        assert answer.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"
        assert int(answer.headers["Tus-Max-Size"]) == gallery.ingest.settings.max_photo_bytes


async def test_pieces_become_a_photo_with_the_last_byte(tus: Tus, gallery: Gallery) -> None:
    location = await tus.create(len(CONTENT), name="Zoë.jpg")
    for start in range(0, len(CONTENT), 100_000):
        assert await gallery.ingest.photos() == []
        answer = await tus.patch(location, start, CONTENT[start : start + 100_000])
        assert answer.status_code == 204
        assert int(answer.headers["Upload-Offset"]) == min(start + 100_000, len(CONTENT))
        assert answer.headers["Tus-Resumable"] == "1.0.0"
        assert answer.headers["Upload-Expires"].endswith("GMT")

    photo = await only_photo_is(gallery, CONTENT)
    assert (photo.original_filename, photo.sha256) == ("Zoë.jpg", SHA256.digest())
    for told in (answer, await tus.head(location)):
        assert told.headers["FindMe-Photo-Id"] == str(photo.id)
        assert told.headers["FindMe-Job-Id"] == photo.filename.partition(".")[0]
        assert told.headers["FindMe-Status"] == "queued"
    assert told.headers["Upload-Length"] == told.headers["Upload-Offset"] == str(len(CONTENT))
    assert told.headers["Upload-Metadata"] == metadata(
        event_id=gallery.event_id, filename="Zoë.jpg"
    )
    assert told.headers["Cache-Control"] == "no-store"


async def test_whole_files_of_one_request_become_photos(tus: Tus, gallery: Gallery) -> None:
    location = await tus.create(len(CONTENT))
    assert (await tus.patch(location, 0, CONTENT)).headers["FindMe-Status"] == "queued"
    photo = await only_photo_is(gallery, CONTENT)

    again = await tus.post(len(CONTENT), CONTENT, name="again.jpg")
    assert again.status_code == 201
    assert again.headers["FindMe-Status"] == "duplicate"
    assert again.headers["FindMe-Photo-Id"] == str(photo.id)
    assert await tus.offset(again.headers["Location"]) == len(CONTENT)
    copy = await tus.post(len(CONTENT), CONTENT, said={"duplicates": "keep"})
    assert copy.headers["FindMe-Status"] == "queued"
    assert len(await gallery.ingest.photos()) == len(await gallery.ingest.objects()) == 2


async def test_a_creation_may_bring_the_beginning(tus: Tus, gallery: Gallery) -> None:
    answer = await tus.post(len(CONTENT), CONTENT[:1000])
    assert answer.status_code == 201
    assert answer.headers["Upload-Offset"] == "1000"
    assert "FindMe-Status" not in answer.headers
    await tus.patch(answer.headers["Location"], 1000, CONTENT[1000:])
    await only_photo_is(gallery, CONTENT)


async def test_a_file_of_many_parts_is_put_together(tus: Tus, gallery: Gallery) -> None:
    content = large_jpeg(2 * PART_BYTES + 12_345)
    location = await tus.create(len(content))
    await tus.patch(location, 0, content[: PART_BYTES + 100])
    assert sorted((await gallery.ingest.objects()).values()) == [100, PART_BYTES]
    await tus.patch(location, PART_BYTES + 100, content[PART_BYTES + 100 :])
    await only_photo_is(gallery, content)


@pytest.mark.parametrize("whole", [True, False])
async def test_a_duplicate_of_pieces_leaves_nothing(
    tus: Tus, gallery: Gallery, whole: bool
) -> None:
    await gallery.upload(("first.jpg", CONTENT))
    location = await tus.create(len(CONTENT))
    middle = 0 if whole else 1000
    if middle:
        await tus.patch(location, 0, CONTENT[:middle])
    answer = await tus.patch(location, middle, CONTENT[middle:])
    photo = await only_photo_is(gallery, CONTENT)
    assert answer.headers["FindMe-Status"] == "duplicate"
    assert answer.headers["FindMe-Photo-Id"] == str(photo.id)


@pytest.mark.parametrize(
    ("headers", "status", "sentence"),
    [
        ({"Tus-Resumable": "0.2.2"}, 412, "Send `Tus-Resumable: 1.0.0`"),
        ({"Upload-Length": "-1"}, 400, "Send Upload-Length as a number"),
        ({"Upload-Length": "0"}, 400, "The file is empty"),
        ({"Upload-Length": str(10**10)}, 413, "The file is larger than"),
        ({"Upload-Defer-Length": "1"}, 400, "Send the file's size as Upload-Length"),
        ({"Upload-Metadata": "filename YS5qcGc="}, 400, "Send a number as `event_id`"),
        ({"Upload-Metadata": "event_id *"}, 400, "Upload-Metadata cannot be read"),
        ({"Upload-Metadata": metadata(event_id="1e3")}, 400, "Send a number as `event_id`"),
        ({"Upload-Metadata": metadata(event_id=999_999)}, 404, "Event not found"),
        ({"Upload-Metadata": "x" * 5000}, 400, "is longer than"),
        ({"Upload-Checksum": "md5 AAAA"}, 400, "Upload-Checksum cannot be used"),
    ],
)
async def test_an_upload_that_cannot_be_is_not_begun(
    tus: Tus, gallery: Gallery, headers: dict[str, str], status: int, sentence: str
) -> None:
    answer = await tus.post(1000, headers=headers)
    assert (answer.status_code, sentence in answer.json()["detail"]) == (status, True)
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert await rows(gallery) == []


@pytest.mark.parametrize("values", [{"sha256": "zz"}, {"duplicates": "no"}, {"watcher_id": "-"}])
async def test_metadata_that_cannot_be_used_is_told(tus: Tus, values: dict[str, str]) -> None:
    answer = await tus.post(1000, said=values)
    assert answer.status_code == 400
    assert next(iter(values)) in answer.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Tus-Resumable": "2.0.0"}, 412),
        ({"Content-Type": "image/jpeg"}, 415),
        ({"Upload-Offset": "x"}, 400),
        ({"Upload-Offset": "1"}, 409),
        ({"Upload-Offset": str(len(CONTENT) - 99)}, 413),
        ({"Upload-Checksum": "sha1 *"}, 400),
    ],
)
async def test_bytes_that_do_not_fit_are_not_kept(
    tus: Tus, gallery: Gallery, headers: dict[str, str], status: int
) -> None:
    location = await tus.create(len(CONTENT))
    assert (await tus.patch(location, 0, CONTENT[:100], headers)).status_code == status
    assert await tus.offset(location) == 0
    await nothing_is_kept(gallery)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
@pytest.mark.parametrize("whole", [True, False])
async def test_bytes_that_changed_on_their_way_are_sent_again(
    tus: Tus, gallery: Gallery, algorithm: str, whole: bool
) -> None:
    location = await tus.create(len(CONTENT))
    body = CONTENT if whole else CONTENT[:100_000]
    wrong = await tus.patch(location, 0, body, checksum(b"another", algorithm))
    assert wrong.status_code == 460
    assert await tus.offset(location) == 0
    await nothing_is_kept(gallery)

    assert (await tus.patch(location, 0, body, checksum(body, algorithm))).is_success
    if not whole:
        await tus.patch(location, len(body), CONTENT[len(body) :])
    await only_photo_is(gallery, CONTENT)


@pytest.mark.parametrize("whole", [True, False])
async def test_a_file_that_is_refused_ends_its_upload(
    tus: Tus, gallery: Gallery, whole: bool
) -> None:
    async with gallery.ingest.resources.database.unit_of_work() as unit:
        watcher_id = (
            await unit.connection.execute(
                insert(watchers).values(event_id=gallery.event_id).returning(watchers.c.id)
            )
        ).scalar_one()
    location = await tus.create(8, said={"watcher_id": watcher_id})
    if not whole:
        await tus.patch(location, 0, b"no p")
    refused = await tus.patch(location, 0 if whole else 4, b"no photo"[0 if whole else 4 :])
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith("This is not a photo that can be read.")
    assert (await tus.head(location)).status_code == 404
    await nothing_is_kept(gallery)
    async with gallery.ingest.resources.database.read() as connection:
        assert (await connection.execute(select(watchers))).one().failed == 1


async def test_a_file_that_is_another_than_was_said_is_refused(tus: Tus, gallery: Gallery) -> None:
    right = await tus.post(len(CONTENT), CONTENT, said={"sha256": SHA256.hexdigest()})
    assert right.status_code == 201
    wrong = await tus.post(len(CONTENT), CONTENT, said={"sha256": "0" * 64, "duplicates": "keep"})
    assert wrong.status_code == 400
    assert "The file changed on its way" in wrong.json()["detail"]
    await only_photo_is(gallery, CONTENT)
    assert len(await rows(gallery)) == 1


async def test_an_upload_is_ended_and_a_photo_stays(tus: Tus, gallery: Gallery) -> None:
    location = await tus.create(len(CONTENT))
    await tus.patch(location, 0, CONTENT[:1000])
    assert (await tus.delete(location)).status_code == 204
    await nothing_is_kept(gallery)
    for answer in (await tus.head(location), await tus.patch(location, 0, b"x")):
        assert answer.status_code == 404

    whole = (await tus.post(len(CONTENT), CONTENT)).headers["Location"]
    assert (await tus.delete(whole)).status_code == 204
    await only_photo_is(gallery, CONTENT)


async def test_methods_may_be_sent_as_post(tus: Tus, gallery: Gallery) -> None:
    location = await tus.create(len(CONTENT))
    headers = tus.headers | BYTES | {"Upload-Offset": "0"}
    for method, status in (("PATCH", 204), ("DELETE", 204), ("PUT", 400)):
        answer = await tus.client.post(
            location, headers=headers | {"X-HTTP-Method-Override": method}, content=CONTENT
        )
        assert answer.status_code == status
    await only_photo_is(gallery, CONTENT)


async def test_only_who_may_upload_to_the_event_goes_on(tus: Tus, gallery: Gallery) -> None:
    location = await tus.create(len(CONTENT))
    stranger = gallery.ingest.headers(await gallery.ingest.world.user("photographer"))
    client = gallery.ingest.client
    for answer in (
        await client.patch(
            location, headers=stranger | VERSION | BYTES | {"Upload-Offset": "0"}, content=CONTENT
        ),
        await client.head(location, headers=stranger | VERSION),
        await client.delete(location, headers=stranger | VERSION),
        await client.post(
            "/api/uploads",
            headers=stranger
            | VERSION
            | {"Upload-Length": "1", "Upload-Metadata": metadata(event_id=gallery.event_id)},
        ),
    ):
        assert answer.status_code == 403
    assert (await tus.head("/api/uploads/none")).status_code == 404

    async with gallery.ingest.resources.database.unit_of_work() as unit:
        await unit.connection.execute(
            update(events).values(expires_at=func.now() - timedelta(hours=1))
        )
    assert (await tus.patch(location, 0, CONTENT)).status_code == 410
    assert (await tus.post(10)).status_code == 410
    await nothing_is_kept(gallery)


async def test_what_nobody_goes_on_with_is_forgotten(tus: Tus, gallery: Gallery) -> None:
    location = await tus.create(len(CONTENT))
    await tus.patch(location, 0, CONTENT[:1000])
    resources = gallery.ingest.resources
    assert await expiry.sweep(resources.database, resources.store) == 0
    await set_row(gallery, expires_at=func.now())

    gone = await tus.patch(location, 1000, CONTENT[1000:])
    assert gone.status_code == 410
    assert "Send the file again" in gone.json()["detail"]
    assert (await tus.head(location)).status_code == 410
    assert await expiry.sweep(resources.database, resources.store) == 1
    assert (await tus.head(location)).status_code == 404
    await nothing_is_kept(gallery)


async def test_there_is_an_end_to_uploads_that_are_begun(
    settings: IngestSettings, store: ObjectStore
) -> None:
    few = settings.model_copy(update={"max_unfinished_uploads": 2, "max_unfinished_mb": 1})
    async with running_ingest(few, store) as ingest:
        tus = Tus.of(await new_gallery(ingest))
        first = await tus.create(500_000)
        too_many_bytes = await tus.post(600_000)
        assert too_many_bytes.status_code == 503
        assert int(too_many_bytes.headers["Retry-After"]) > 0
        assert "begun and not ended: 1, of 0.5 MB." in too_many_bytes.json()["detail"]
        await tus.create(len(CONTENT))
        assert (await tus.post(1)).status_code == 503
        assert (await tus.delete(first)).status_code == 204
        assert (await tus.post(len(CONTENT), CONTENT)).status_code == 201
        # What is a photo counts no more.
        assert (await tus.post(1000)).status_code == 201


async def test_a_store_that_is_away_loses_nothing_that_was_received(
    tus: Tus, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    from libs.common.storage.folder import FolderStore
    from libs.common.storage.protocol import StoreUnavailable

    def refuse(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("The photo store is full.")

    location = await tus.create(len(CONTENT))
    await tus.patch(location, 0, CONTENT[:1000])
    with monkeypatch.context() as patched:
        patched.setattr(FolderStore, "create", refuse)
        answer = await tus.patch(location, 1000, CONTENT[1000:])
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
    assert await tus.offset(location) == 1000

    await tus.patch(location, 1000, CONTENT[1000:-1])
    with monkeypatch.context() as patched:
        patched.setattr("services.ingest.resumable.append.take_file", refuse)
        answer = await tus.patch(location, len(CONTENT) - 1, CONTENT[-1:])
        assert answer.status_code == 503
        # It is whole, and no photo: it is not said to have come.
        assert (await tus.head(location)).status_code == 503
    assert await gallery.ingest.photos() == []
    assert (await tus.head(location)).headers["FindMe-Status"] == "queued"
    await only_photo_is(gallery, CONTENT)


async def test_parts_that_are_lost_are_sent_again(tus: Tus, gallery: Gallery) -> None:
    location = await tus.create(len(CONTENT))
    await tus.patch(location, 0, CONTENT[:1000])
    [key] = await gallery.ingest.objects()
    await gallery.ingest.resources.store.put(key, CONTENT[:999], content_type="")
    answer = await tus.patch(location, 1000, CONTENT[1000:])
    assert (answer.status_code, "Send the file again" in answer.json()["detail"]) == (410, True)
    assert (await tus.head(location)).status_code == 404
    await nothing_is_kept(gallery)


async def test_a_photo_that_is_made_twice_is_one(tus: Tus, gallery: Gallery) -> None:
    """The process died between the photo's commit and the answer; the parts are there still."""
    location = await tus.create(len(CONTENT), said={"duplicates": "keep"})
    await tus.patch(location, 0, CONTENT[:1000])
    [(key, _)] = (await gallery.ingest.objects()).items()
    await tus.patch(location, 1000, CONTENT[1000:])
    await gallery.ingest.resources.store.put(key, CONTENT[:1000], content_type="")
    for answer in (
        await tus.head(location),
        await tus.patch(location, len(CONTENT), b""),
        await tus.patch(location, len(CONTENT), b""),
    ):
        assert answer.headers["FindMe-Status"] == "queued"
    assert len(await gallery.ingest.photos()) == 1
    await set_row(gallery, expires_at=func.now())
    resources = gallery.ingest.resources
    assert await expiry.sweep(resources.database, resources.store) == 1
    await only_photo_is(gallery, CONTENT)


async def test_a_small_picture_of_a_form_and_one_of_pieces_are_one(
    tus: Tus, gallery: Gallery
) -> None:
    picture = image_file()
    answer: httpx.Response = await tus.post(len(picture), picture)
    assert answer.status_code == 201
    assert (await gallery.upload(("same.jpg", picture))).json()["jobs"][0]["status"] == "duplicate"

import hashlib
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from libs.common.database import tables
from libs.common.database.tables import users
from libs.common.messaging.bus.topology import PHOTOS_AHEAD
from libs.common.storage.keys import photo_key
from libs.common.storage.protocol import ObjectStore
from libs.common.web.auth import Role
from libs.common.web.errors import DEFAULT_RETRY_AFTER_SECONDS
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import Gallery, Ingest, new_gallery, running_ingest
from tests.support.full_store import FullStore
from tests.support.image_files import image_file, large_jpeg, png_of_claimed_size
from tests.support.stores import opened


async def test_a_photo_is_stored_recorded_and_announced(gallery: Gallery) -> None:
    content = image_file(size=(64, 48), orientation=6, taken="2026:06:01 18:30:05+02:00")

    answer = await gallery.upload(("DCIM/IMG 1.JPG", content))

    [photo] = await gallery.ingest.photos()
    assert answer.status_code == 200
    assert answer.json() == {
        "message": "1 photo queued.",
        "enqueued": 1,
        "failed": 0,
        "jobs": [
            {
                "job_id": photo.filename.partition(".")[0],
                "filename": "IMG 1.JPG",
                "status": "queued",
                "photo_id": photo.id,
            }
        ],
    }
    assert photo.original_filename == "IMG 1.JPG"
    assert photo.filename.endswith(".jpg")
    assert (photo.event_id, photo.photographer_id) == (gallery.event_id, gallery.photographer_id)
    assert (photo.width, photo.height) == (48, 64)
    assert photo.taken_at.isoformat() == "2026-06-01T18:30:05"
    assert photo.taken_at_offset == 120
    assert photo.sha256 == hashlib.sha256(content).digest()
    assert (photo.crc32, photo.size_bytes) == (zlib.crc32(content), len(content))
    key = photo_key(gallery.event_id, photo.filename)
    assert await gallery.ingest.resources.store.get(key) == content
    assert await gallery.ingest.messages() == [
        (
            "photo.uploaded",
            {
                "version": 1,
                "event_id": gallery.event_id,
                "photo_id": photo.id,
                "seen_by_all": True,
                "reindex_for": None,
                "in_bulk": False,
            },
        )
    ]


async def test_photos_of_an_event_of_which_many_wait_leave_others_first_ones_first(
    gallery: Gallery,
) -> None:
    async def upload(count: int) -> None:
        for number in range(count):
            await gallery.upload((f"{number}.jpg", large_jpeg(9_000 + number)))

    async def are_in_bulk() -> list[bool]:
        return [body["in_bulk"] for _, body in await gallery.ingest.messages()]

    await upload(PHOTOS_AHEAD + 2)
    assert await are_in_bulk() == [False] * PHOTOS_AHEAD + [True] * 2
    async with gallery.ingest.resources.database.unit_of_work() as unit:
        await unit.connection.execute(
            update(tables.photos).values(processing_status="done").where(tables.photos.c.id > 0)
        )
        await unit.connection.execute(delete(tables.outbox))
        await unit.connection.execute(delete(tables.upload_digests))
    await upload(1)
    assert await are_in_bulk() == [False]


@pytest.mark.parametrize("kind", ["folder", "s3"])
async def test_a_photo_of_many_batches_arrives_whole_in_every_store(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, settings: IngestSettings
) -> None:
    content = large_jpeg(9 * 1024 * 1024 + 17)
    async with (
        opened(kind, request, tmp_path) as open_store,
        running_ingest(settings, open_store.store) as ingest,
    ):
        gallery = await new_gallery(ingest)
        answer = await gallery.upload(("large.jpg", content), ("bad.jpg", b"no"))

        assert answer.json()["enqueued"] == 1
        [photo] = await ingest.photos()
        stored = await open_store.store.get(photo_key(gallery.event_id, photo.filename))
        assert hashlib.sha256(stored).digest() == photo.sha256
        assert len(stored) == len(content)
        assert await open_store.probe.unfinished() == 0


BAD_FILES = {
    "page.jpg": (b"<html>not found</html>", "Send a photo, as JPEG"),
    "empty.jpg": (b"", "empty"),
    "cut.jpg": (image_file()[:20], "cut off"),
    "bomb.png": (png_of_claimed_size(60_000, 60_000), "60000 x 60000 pixels"),
}


async def test_each_bad_file_is_named_with_its_reason_and_the_rest_is_kept(
    gallery: Gallery,
) -> None:
    good = [("one.jpg", image_file(seed=1)), ("two.png", image_file("PNG", seed=2))]
    bad = [(name, content) for name, (content, _) in BAD_FILES.items()]

    answer = (await gallery.upload(good[0], *bad, good[1])).json()

    assert (answer["enqueued"], answer["failed"]) == (2, len(bad))
    assert [job["filename"] for job in answer["jobs"]] == ["one.jpg", "two.png"]
    errors = {failed["filename"]: failed["error"] for failed in answer["failed_uploads"]}
    assert list(errors) == list(BAD_FILES)
    for name, (_, reason) in BAD_FILES.items():
        assert reason in errors[name]
    assert len(await gallery.ingest.photos()) == len(await gallery.ingest.objects()) == 2


async def test_a_request_of_bad_files_only_is_refused_with_all_reasons(gallery: Gallery) -> None:
    answer = await gallery.upload(*((name, content) for name, (content, _) in BAD_FILES.items()))

    assert answer.status_code == 400
    assert all(name in answer.json()["detail"] for name in BAD_FILES)
    assert not await gallery.ingest.objects()
    assert not await gallery.ingest.messages()


@pytest.mark.parametrize(
    ("written", "mode", "extension", "media_type"),
    [
        ("JPEG", "CMYK", "jpg", "image/jpeg"),
        ("JPEG", "L", "jpg", "image/jpeg"),
        ("PNG", "I;16", "png", "image/png"),
        ("PNG", "P", "png", "image/png"),
        ("PNG", "RGBA", "png", "image/png"),
        ("WEBP", "RGB", "webp", "image/webp"),
        ("HEIF", "RGB", "heic", "image/heic"),
        ("TIFF", "RGB", "tiff", "image/tiff"),
        ("GIF", "P", "gif", "image/gif"),
    ],
)
async def test_the_content_decides_the_type_whatever_the_name_says(
    gallery: Gallery, written: str, mode: str, extension: str, media_type: str
) -> None:
    answer = await gallery.upload(("wrong.bmp", image_file(written, mode=mode)))

    [photo] = await gallery.ingest.photos()
    assert answer.json()["enqueued"] == 1
    assert photo.filename.endswith(f".{extension}")
    assert photo.content_type == media_type
    assert photo.original_filename == "wrong.bmp"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../../etc/passwd.jpg", "passwd.jpg"),
        ("C:\\fotos\\boda.jpg", "boda.jpg"),
        ("🎉 fiesta 👰.jpg", "🎉 fiesta 👰.jpg"),
    ],
)
async def test_a_name_is_kept_for_people_and_never_becomes_a_path(
    gallery: Gallery, sent: str, shown: str
) -> None:
    answer = await gallery.upload((sent, image_file()))

    [photo] = await gallery.ingest.photos()
    assert answer.json()["jobs"][0]["filename"] == photo.original_filename == shown
    assert list(await gallery.ingest.objects()) == [photo_key(gallery.event_id, photo.filename)]


async def test_a_file_above_the_limit_is_refused_and_leaves_nothing(
    settings: IngestSettings, store: ObjectStore
) -> None:
    async with running_ingest(settings.model_copy(update={"max_photo_mb": 2}), store) as ingest:
        gallery = await new_gallery(ingest)

        answer = await gallery.upload(
            ("large.jpg", large_jpeg(2 * 1024 * 1024 + 1)),
            ("largest.jpg", large_jpeg(2 * 1024 * 1024, seed=1)),
        )

        [failed] = answer.json()["failed_uploads"]
        assert failed["filename"] == "large.jpg"
        assert "2 MB" in failed["error"]
        assert list((await ingest.objects()).values()) == [2 * 1024 * 1024]


async def test_files_beyond_the_number_allowed_are_named_and_the_others_kept(
    settings: IngestSettings, store: ObjectStore
) -> None:
    limited = settings.model_copy(update={"max_files_per_request": 2})
    async with running_ingest(limited, store) as ingest:
        gallery = await new_gallery(ingest)

        answer = await gallery.upload(*((f"{n}.jpg", image_file(seed=n)) for n in range(4)))

        assert [job["filename"] for job in answer.json()["jobs"]] == ["0.jpg", "1.jpg"]
        [failed] = answer.json()["failed_uploads"]
        assert failed["filename"] == "2.jpg"
        assert "at most 2 files" in failed["error"]


async def test_a_request_that_announces_too_much_is_refused_unread(
    settings: IngestSettings, store: ObjectStore
) -> None:
    async with running_ingest(settings.model_copy(update={"max_request_mb": 1}), store) as ingest:
        gallery = await new_gallery(ingest)

        answer = await gallery.upload(("large.jpg", large_jpeg(2 * 1024 * 1024)))

        assert answer.status_code == 413
        assert not await ingest.objects()


async def test_files_before_the_requests_limit_are_kept(
    settings: IngestSettings, store: ObjectStore
) -> None:
    async with running_ingest(settings.model_copy(update={"max_request_mb": 1}), store) as ingest:
        gallery = await new_gallery(ingest)
        body = ingest.client.build_request(
            "POST",
            gallery.url,
            files=[
                ("files", ("small.jpg", image_file())),
                ("files", ("large.jpg", large_jpeg(2 * 1024 * 1024))),
            ],
        )
        content = body.read()

        async def unannounced() -> AsyncIterator[bytes]:
            for start in range(0, len(content), 65536):
                yield content[start : start + 65536]

        answer = await ingest.client.post(
            gallery.url,
            headers=gallery.headers | {"Content-Type": body.headers["content-type"]},
            content=unannounced(),
        )

        assert [job["filename"] for job in answer.json()["jobs"]] == ["small.jpg"]
        assert [failed["filename"] for failed in answer.json()["failed_uploads"]] == ["large.jpg"]


async def test_the_old_watchers_form_field_is_accepted(gallery: Gallery) -> None:
    answer = await gallery.upload(("a.jpg", image_file()), data={"watcher_id": "7"})

    assert answer.json()["enqueued"] == 1


async def test_a_request_without_files_is_refused(gallery: Gallery) -> None:
    only_field = await gallery.upload(data={"watcher_id": "7"}, params={})
    other_field = await gallery.ingest.client.post(
        gallery.url, headers=gallery.headers, files={"photo": ("a.jpg", image_file())}
    )
    left_empty = await gallery.upload(("", b""))

    for answer in (only_field, other_field, left_empty):
        assert answer.status_code == 400


@pytest.mark.parametrize("cut", [0, 60, 300, -20])
async def test_a_malformed_form_is_refused_and_leaves_nothing(gallery: Gallery, cut: int) -> None:
    request = gallery.ingest.client.build_request(
        "POST", gallery.url, files={"files": ("a.jpg", image_file())}
    )
    content = request.read()

    answer = await gallery.ingest.client.post(
        gallery.url,
        headers=gallery.headers | {"Content-Type": request.headers["content-type"]},
        content=content[:cut],
    )

    assert answer.status_code == 400
    assert not await gallery.ingest.objects()


async def test_only_the_events_photographer_and_admins_may_upload(
    ingest: Ingest, gallery: Gallery
) -> None:
    files = {"files": ("a.jpg", image_file())}
    stranger = await ingest.world.user("photographer")
    guest = await ingest.world.user()
    admin = await ingest.world.user("admin")
    nowhere = gallery.url.replace(str(gallery.event_id), str(gallery.event_id + 1000))

    async def status(url: str, headers: dict[str, str]) -> int:
        return (await ingest.client.post(url, headers=headers, files=files)).status_code

    assert await status(gallery.url, {}) == 401
    assert await status(gallery.url, ingest.headers(guest, Role.PARTICIPANT)) == 403
    assert await status(gallery.url, ingest.headers(stranger)) == 403
    assert await status(nowhere, gallery.headers) == 404
    assert not await ingest.objects()
    assert await status(gallery.url, ingest.headers(admin, Role.ADMIN)) == 200


async def test_an_upload_by_an_account_that_goes_meanwhile_is_refused_and_leaves_nothing(
    gallery: Gallery,
) -> None:
    ingest = gallery.ingest
    admin = await ingest.world.user("admin")
    # Known to be logged in, as they were a moment ago.
    ingest.app.state.accounts.sessions._kept_seconds = 3600.0
    nowhere = gallery.url.replace(str(gallery.event_id), str(gallery.event_id + 1000))
    answer = await ingest.client.post(nowhere, headers=ingest.headers(admin, Role.ADMIN))
    assert answer.status_code == 404
    await ingest.world.execute(delete(users).where(users.c.id == admin))
    # Of an event without a photographer the uploader's name is on the photos.
    event_id = await ingest.world.event()

    answer = await ingest.client.post(
        gallery.url.replace(str(gallery.event_id), str(event_id)),
        headers=ingest.headers(admin, Role.ADMIN),
        files=[("files", ("a.jpg", image_file(), "image/jpeg"))],
    )

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "account" in answer.json()["detail"]
    assert not await ingest.objects()


async def test_a_failure_of_ours_asks_the_client_to_come_back(gallery: Gallery) -> None:
    context = gallery.ingest.app.state.context
    broken = replace(context.resources, store=FullStore(context.resources.store))
    gallery.ingest.app.state.context = replace(context, resources=broken)

    answer = await gallery.upload(*((f"{n}.jpg", image_file(seed=n)) for n in range(5)))

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) == DEFAULT_RETRY_AFTER_SECONDS
    assert "0.jpg: It could not be stored. The photo store is full." in answer.json()["detail"]
    assert not await gallery.ingest.photos()


async def test_what_happened_is_counted(gallery: Gallery) -> None:
    await gallery.upload(("a.jpg", image_file()), ("b.jpg", image_file()), ("c.jpg", b"no"))

    exposition = (await gallery.ingest.client.get("/metrics")).text

    for outcome in ("enqueued", "duplicate", "refused"):
        assert f'findme_uploads_total{{outcome="{outcome}",way="form"}}' in exposition
    assert "findme_open_uploads 0.0" in exposition

"""Uploads that are asked after, as the older browser app does."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from libs.common.database.tables import photos, upload_jobs
from libs.common.storage.protocol import ObjectStore
from libs.common.web.auth import Role
from services.ingest.settings import IngestSettings
from services.ingest.upload_jobs.jobs import KEPT, sweep
from services.ingest.upload_jobs.rules import MAX_ERRORS, JobPhoto, progress
from tests.ingest.conftest import Gallery, Ingest, running_ingest
from tests.support.image_files import image_file

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


async def schedule(gallery: Gallery, *files: tuple[str, bytes]) -> str:
    answer = await gallery.ingest.client.post(
        f"{gallery.url}-async",
        headers=gallery.headers,
        files=[("files", (name, content, "image/jpeg")) for name, content in files],
    )
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"job_id", "status"}
    assert answer.json()["status"] == "scheduled"
    job_id: str = answer.json()["job_id"]
    return job_id


async def status(ingest: Ingest, job_id: str, headers: dict[str, str]) -> dict[str, Any]:
    answer = await ingest.client.get(f"/api/upload-jobs/{job_id}/status", headers=headers)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def finish(ingest: Ingest, name: str, error: str | None = None) -> None:
    """As recognition does when it is through with a photo."""
    await ingest.world.execute(
        update(photos)
        .where(photos.c.original_filename == name)
        .values(
            processing_status="failed" if error else "done",
            processing_error=error,
            finished_at=func.now(),
        )
    )


async def test_a_job_is_pending_then_running_then_done(gallery: Gallery) -> None:
    job_id = await schedule(
        gallery,
        ("a.jpg", image_file(seed=1)),
        ("page.jpg", b"<html>not found</html>"),
        ("b.jpg", image_file(seed=2)),
        ("c.jpg", image_file(seed=3)),
    )
    ingest = gallery.ingest

    async def told() -> dict[str, Any]:
        return await status(ingest, job_id, gallery.headers)

    first = await told()
    assert set(first) == {
        "id", "event_id", "photographer_id", "status", "total", "processed", "failed", "errors",
        "started_at", "finished_at",
    }  # fmt: skip
    assert first["id"] == job_id
    assert (first["event_id"], first["photographer_id"]) == (
        gallery.event_id,
        gallery.photographer_id,
    )
    assert (first["status"], first["total"], first["processed"], first["failed"]) == (
        "pending", 4, 0, 1,
    )  # fmt: skip
    [error] = first["errors"]
    assert error.startswith("page.jpg: ")
    assert first["finished_at"] is None

    await finish(ingest, "a.jpg")
    await finish(ingest, "b.jpg", "The file is damaged.")
    second = await told()
    assert (second["status"], second["processed"], second["failed"]) == ("running", 1, 2)
    assert second["errors"] == [error, "b.jpg: The file is damaged."]

    await finish(ingest, "c.jpg")
    third = await told()
    assert (third["status"], third["processed"], third["failed"]) == ("done", 2, 2)
    assert third["started_at"] == first["started_at"] <= third["finished_at"]


async def test_another_replica_tells_the_same_after_the_first_one_ended(
    settings: IngestSettings, store: ObjectStore
) -> None:
    async with running_ingest(settings, store) as first:
        photographer = await first.world.user("photographer")
        gallery = Gallery(first, await first.world.event(photographer), photographer)
        job_id = await schedule(gallery, ("a.jpg", image_file()))
        before = await status(first, job_id, gallery.headers)
        assert len(await first.photos()) == len(await first.messages()) == 1
    async with running_ingest(settings, store) as second:
        assert await status(second, job_id, gallery.headers) == before


async def test_files_that_were_sent_before_are_done_as_far_as_their_photos_are(
    gallery: Gallery,
) -> None:
    content = image_file()
    await gallery.upload(("a.jpg", content))
    await finish(gallery.ingest, "a.jpg")

    job_id = await schedule(gallery, ("again.jpg", content))

    told = await status(gallery.ingest, job_id, gallery.headers)
    assert (told["status"], told["total"], told["processed"]) == ("done", 1, 1)
    assert told["started_at"] == told["finished_at"]


async def test_what_is_deleted_meanwhile_is_not_waited_for(gallery: Gallery) -> None:
    job_id = await schedule(gallery, ("a.jpg", image_file()))
    await gallery.ingest.world.execute(photos.delete())

    told = await status(gallery.ingest, job_id, gallery.headers)

    assert (told["status"], told["processed"], told["failed"]) == ("done", 1, 0)


async def test_a_request_of_which_nothing_is_kept_is_refused_and_makes_no_job(
    gallery: Gallery,
) -> None:
    answer = await gallery.ingest.client.post(
        f"{gallery.url}-async", headers=gallery.headers, files=[("files", ("a.jpg", b"no"))]
    )
    assert answer.status_code == 400
    assert "a.jpg" in answer.json()["detail"]
    async with gallery.ingest.resources.database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(upload_jobs)) == 0


async def test_a_job_is_told_of_to_its_photographer_and_admins_alone(gallery: Gallery) -> None:
    ingest = gallery.ingest
    job_id = await schedule(gallery, ("a.jpg", image_file()))
    stranger = ingest.headers(await ingest.world.user("photographer"))
    guest = ingest.headers(await ingest.world.user(), Role.PARTICIPANT)
    admin = ingest.headers(await ingest.world.user("admin"), Role.ADMIN)

    async def code(job: str, headers: dict[str, str]) -> int:
        answer = await ingest.client.get(f"/api/upload-jobs/{job}/status", headers=headers)
        return answer.status_code

    assert await code(job_id, gallery.headers) == await code(job_id, admin) == 200
    assert await code(job_id, stranger) == await code(str(uuid.uuid4()), gallery.headers) == 404
    assert await code(job_id, guest) == 403
    assert await code(job_id, {}) == 401
    assert await code("1", gallery.headers) == 422


async def test_jobs_that_nobody_asks_after_any_more_are_swept(gallery: Gallery) -> None:
    ingest = gallery.ingest
    old = await schedule(gallery, ("a.jpg", image_file(seed=1)))
    new = await schedule(gallery, ("b.jpg", image_file(seed=2)))
    age = func.now() - KEPT - timedelta(minutes=1)
    await ingest.world.execute(
        update(upload_jobs).where(upload_jobs.c.id == old).values(started_at=age)
    )

    assert await sweep(ingest.resources.database) == 1

    await status(ingest, new, gallery.headers)
    gone = await ingest.client.get(f"/api/upload-jobs/{old}/status", headers=gallery.headers)
    assert gone.status_code == 404
    assert len(await ingest.photos()) == 2


OUTCOMES = st.sampled_from(["waits", "done", "failed", "deleted"])


@given(st.lists(OUTCOMES, max_size=8), st.integers(0, 3))
def test_each_file_is_counted_once_and_a_job_ends_when_no_file_waits(
    outcomes: list[str], refused: int
) -> None:
    known = {
        n: JobPhoto(
            name=f"{n}.jpg",
            finished_at=None if outcome == "waits" else NOON + timedelta(seconds=n),
            error="It is damaged." if outcome == "failed" else None,
        )
        for n, outcome in enumerate(outcomes)
        if outcome != "deleted"
    }
    told = progress(
        range(len(outcomes)), known, refused=refused, errors=["no"] * refused, started_at=NOON
    )
    assert told.total == len(outcomes) + refused
    assert told.failed == refused + outcomes.count("failed")
    assert told.processed + told.failed + outcomes.count("waits") == told.total
    assert (told.status in ("done", "error")) == ("waits" not in outcomes)
    assert (told.finished_at is not None) == ("waits" not in outcomes)
    assert len(told.errors) == told.failed
    if told.status == "error":
        assert told.processed == 0


def test_no_answer_grows_with_the_files_that_failed() -> None:
    photos_of = {n: JobPhoto("n" * 1000, NOON, "x" * 10_000) for n in range(500)}
    told = progress(range(500), photos_of, refused=0, errors=[], started_at=NOON)
    assert told.failed == 500
    assert len(told.errors) == MAX_ERRORS
    assert sum(map(len, told.errors)) <= 50_000
    assert told.status == "error"


async def test_an_admins_upload_is_the_events_photographers(gallery: Gallery) -> None:
    ingest = gallery.ingest
    admin = ingest.headers(await ingest.world.user("admin"), Role.ADMIN)

    answer = await ingest.client.post(
        gallery.url, headers=admin, files=[("files", ("a.jpg", image_file(), "image/jpeg"))]
    )

    assert answer.status_code == 200
    [photo] = await ingest.photos()
    assert photo.photographer_id == gallery.photographer_id

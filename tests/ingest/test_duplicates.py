import asyncio

import pytest
from sqlalchemy import delete, func, update

from libs.common.database.tables import events, photos, upload_digests
from libs.common.storage.protocol import ObjectStore
from services.ingest.photos.rules import DUPLICATE_WINDOW
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import Gallery, new_gallery, running_ingest
from tests.support.image_files import image_file, large_jpeg


async def test_the_same_bytes_again_are_the_photo_that_is_there(gallery: Gallery) -> None:
    [first] = (await gallery.upload(("a.jpg", image_file()))).json()["jobs"]

    answer = (await gallery.upload(("renamed.jpg", image_file()))).json()

    assert answer["enqueued"] == 0
    assert answer["jobs"] == [first | {"filename": "renamed.jpg", "status": "duplicate"}]
    assert len(await gallery.ingest.photos()) == len(await gallery.ingest.objects()) == 1
    assert len(await gallery.ingest.messages()) == 1


async def test_the_same_bytes_twice_in_one_request_are_one_photo(gallery: Gallery) -> None:
    answer = (await gallery.upload(("a.jpg", image_file()), ("b.jpg", image_file()))).json()

    assert [job["status"] for job in answer["jobs"]] == ["queued", "duplicate"]
    assert len(await gallery.ingest.photos()) == 1


async def test_another_event_has_its_own_photo(gallery: Gallery) -> None:
    other = await new_gallery(gallery.ingest)

    for each in (gallery, other):
        assert (await each.upload(("a.jpg", image_file()))).json()["enqueued"] == 1


async def test_after_the_window_the_same_bytes_are_a_new_photo(gallery: Gallery) -> None:
    await gallery.upload(("a.jpg", image_file()))
    await age_digests(gallery, seconds=DUPLICATE_WINDOW.total_seconds() + 1)

    again = (await gallery.upload(("a.jpg", image_file()))).json()
    third = (await gallery.upload(("a.jpg", image_file()))).json()

    assert again["jobs"][0]["status"] == "queued"
    assert third["jobs"][0] == again["jobs"][0] | {"status": "duplicate"}
    assert len(await gallery.ingest.photos()) == 2


async def test_a_duplicate_does_not_prolong_the_window(gallery: Gallery) -> None:
    await gallery.upload(("a.jpg", image_file()))
    half = DUPLICATE_WINDOW.total_seconds() / 2 + 1
    await age_digests(gallery, seconds=half)
    await gallery.upload(("a.jpg", image_file()))
    await age_digests(gallery, seconds=half)

    assert (await gallery.upload(("a.jpg", image_file()))).json()["enqueued"] == 1


async def test_in_an_event_that_wants_it_the_same_bytes_are_one_photo_for_its_whole_life(
    gallery: Gallery,
) -> None:
    await set_rule(gallery, "event")
    [first] = (await gallery.upload(("a.jpg", image_file()))).json()["jobs"]
    await age_digests(gallery, seconds=300 * 86_400)

    [again] = (await gallery.upload(("a.jpg", image_file()))).json()["jobs"]

    assert again == first | {"status": "duplicate"}
    assert len(await gallery.ingest.photos()) == len(await gallery.ingest.objects()) == 1


async def test_a_second_copy_that_was_asked_for_is_a_photo_of_its_own(gallery: Gallery) -> None:
    await set_rule(gallery, "event")
    for expected in range(1, 4):
        kept = await gallery.upload(("a.jpg", image_file()), params={"duplicates": "keep"})
        assert kept.json()["enqueued"] == 1
        assert len(await gallery.ingest.photos()) == expected


async def test_an_event_knows_the_copy_that_is_left_of_two(gallery: Gallery) -> None:
    [first] = (await gallery.upload(("a.jpg", image_file()))).json()["jobs"]
    await set_rule(gallery, "event")
    [second] = (
        await gallery.upload(("a.jpg", image_file()), params={"duplicates": "keep"})
    ).json()["jobs"]
    await delete_photo(gallery, second["photo_id"])

    [third] = (await gallery.upload(("a.jpg", image_file()))).json()["jobs"]
    assert third == first | {"status": "duplicate"}

    await delete_photo(gallery, first["photo_id"])
    assert (await gallery.upload(("a.jpg", image_file()))).json()["enqueued"] == 1


async def test_a_rule_for_duplicates_that_there_is_not_is_refused(gallery: Gallery) -> None:
    answer = await gallery.upload(("a.jpg", image_file()), params={"duplicates": "drop"})

    assert answer.status_code == 422
    assert not await gallery.ingest.photos()


@pytest.mark.parametrize("rule", [None, "window", "event"])
async def test_a_deleted_photo_can_be_uploaded_again_at_once(
    gallery: Gallery, rule: str | None
) -> None:
    await set_rule(gallery, rule)
    await gallery.upload(("a.jpg", image_file()))
    async with gallery.ingest.resources.database.unit_of_work() as unit:
        await unit.connection.execute(delete(photos))

    assert (await gallery.upload(("a.jpg", image_file()))).json()["enqueued"] == 1


@pytest.mark.parametrize("rule", ["window", "event"])
async def test_twenty_uploads_at_once_over_two_replicas_make_one_photo(
    settings: IngestSettings, store: ObjectStore, rule: str
) -> None:
    content = large_jpeg(300_000)
    async with (
        running_ingest(settings, store) as one,
        running_ingest(settings, store) as two,
    ):
        gallery = await new_gallery(one)
        await set_rule(gallery, rule)
        replicas = [gallery, Gallery(two, gallery.event_id, gallery.photographer_id)]

        answers = await asyncio.gather(
            *(replicas[n % 2].upload((f"{n}.jpg", content)) for n in range(20))
        )

        jobs = [answer.json()["jobs"][0] for answer in answers]
        assert sorted(job["status"] for job in jobs) == ["duplicate"] * 19 + ["queued"]
        assert len({job["photo_id"] for job in jobs}) == 1
        assert len({job["job_id"] for job in jobs}) == 1
        assert len(await one.photos()) == len(await one.objects()) == 1
        assert len(await one.messages()) == 1


async def set_rule(gallery: Gallery, rule: str | None) -> None:
    async with gallery.ingest.resources.database.unit_of_work() as unit:
        await unit.connection.execute(
            update(events).where(events.c.id == gallery.event_id).values(duplicates=rule)
        )


async def delete_photo(gallery: Gallery, photo_id: int) -> None:
    async with gallery.ingest.resources.database.unit_of_work() as unit:
        await unit.connection.execute(delete(photos).where(photos.c.id == photo_id))


async def age_digests(gallery: Gallery, *, seconds: float) -> None:
    async with gallery.ingest.resources.database.unit_of_work() as unit:
        await unit.connection.execute(
            update(upload_digests).values(
                uploaded_at=upload_digests.c.uploaded_at
                - func.make_interval(0, 0, 0, 0, 0, 0, seconds)
            )
        )

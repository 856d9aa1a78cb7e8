"""What uploading clients ask about an event."""

import asyncio
import hashlib
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from libs.common.database.tables import photos
from services.ingest.progress import progress as counted
from services.ingest.progress import repository
from services.ingest.progress.routes import MAX_ASKED
from services.ingest.progress.rules import PACE_SECONDS, Pace
from tests.ingest.conftest import Gallery, new_gallery
from tests.support.image_files import image_file


def sha256(seed: int) -> str:
    return hashlib.sha256(image_file(seed=seed)).hexdigest()


@pytest.fixture(autouse=True)
def always_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload counts, too; what it counted is not good for the next question."""
    monkeypatch.setattr(counted, "FRESH_SECONDS", 0)
    monkeypatch.setattr(counted, "TIMES_OF_A_COUNT", 0)


async def exists(gallery: Gallery, asked: Any) -> httpx.Response:
    return await gallery.ingest.client.post(
        f"/api/events/{gallery.event_id}/photos/exists",
        json={"sha256": asked},
        headers=gallery.headers,
    )


async def progress(gallery: Gallery) -> dict[str, Any]:
    answer = await gallery.ingest.client.get(
        f"/api/events/{gallery.event_id}/progress", headers=gallery.headers
    )
    found: dict[str, Any] = answer.json()
    return found


async def set_status(gallery: Gallery, status: str, *photo_ids: int) -> None:
    async with gallery.ingest.resources.database.unit_of_work() as unit:
        await unit.connection.execute(
            update(photos).where(photos.c.id.in_(photo_ids)).values(processing_status=status)
        )


async def upload(gallery: Gallery, *seeds: int) -> list[int]:
    answer = await gallery.upload(*((f"{seed}.jpg", image_file(seed=seed)) for seed in seeds))
    return [job["photo_id"] for job in answer.json()["jobs"]]


async def test_clients_are_told_which_of_their_files_the_event_has(gallery: Gallery) -> None:
    elsewhere = await new_gallery(gallery.ingest)
    await upload(elsewhere, 4)
    first, second, third = await upload(gallery, 1, 2, 3)
    await gallery.upload(("copy.jpg", image_file(seed=2)), params={"duplicates": "keep"})

    answer = await exists(
        gallery, [sha256(3), sha256(4), sha256(2).upper(), sha256(1), sha256(3), "0" * 64]
    )

    assert answer.status_code == 200
    assert answer.json() == {
        "existing": [
            {"sha256": sha256(3), "photo_id": third},
            {"sha256": sha256(2).upper(), "photo_id": second},
            {"sha256": sha256(1), "photo_id": first},
        ]
    }


@pytest.mark.parametrize(
    "asked", [[], ["0" * 63], ["g" * 64], ["0" * 64] * (MAX_ASKED + 1), "0" * 64, [0]]
)
async def test_what_is_no_list_of_digests_is_refused(gallery: Gallery, asked: Any) -> None:
    assert (await exists(gallery, asked)).status_code == 422


async def test_an_events_photos_are_counted_by_what_became_of_them(gallery: Gallery) -> None:
    await upload(await new_gallery(gallery.ingest), 0)
    ids = await upload(gallery, *range(10))
    await set_status(gallery, "analyzed", *ids[:2])
    await set_status(gallery, "done", *ids[2:5])
    await set_status(gallery, "failed", ids[5])

    assert await progress(gallery) == {
        "received": 10,
        "analysed": 5,
        "matched": 3,
        "failed": 1,
        "pending": 6,
        "eta_seconds": None,
    }


async def test_many_who_ask_are_answered_by_one_count(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upload(gallery, 1)
    count, counts = repository.count_photos, 0

    async def counting(*told: Any) -> Any:
        nonlocal counts
        counts += 1
        return await count(*told)

    monkeypatch.setattr(counted, "count_photos", counting)
    monkeypatch.setattr(counted, "FRESH_SECONDS", 600)
    answers = await asyncio.gather(*(progress(gallery) for _ in range(20)))

    assert [answer["received"] for answer in answers] == [1] * 20
    assert counts == 1


async def test_what_was_counted_is_counted_again_in_time(gallery: Gallery) -> None:
    for seed in range(3):
        await upload(gallery, seed)
        assert (await progress(gallery))["received"] == seed + 1


def paced(*looks: tuple[float, int]) -> Pace:
    pace = Pace()
    for at, finished in looks:
        pace.look(at, finished)
    return pace


def test_the_time_left_is_told_by_the_pace_of_late() -> None:
    assert paced((0, 0), (10, 20)).seconds_for(30) == 15
    # Ten a second at first, one a second of late.
    slower = paced((0, 0), (100, 1000), (100 + PACE_SECONDS, 1000 + int(PACE_SECONDS)))
    assert slower.seconds_for(7) == 7


@pytest.mark.parametrize(
    ("looks", "pending"),
    [
        ([], 1),
        ([(0, 5)], 1),
        ([(0, 0), (10, 20)], 0),
        ([(0, 5), (60, 5)], 1),
        ([(0, 0), (0.1, 5)], 1),
        # Photos were deleted: how many were finished since, nobody knows.
        ([(0, 50), (10, 20)], 1),
    ],
)
def test_no_time_is_told_where_there_is_no_pace(
    looks: list[tuple[float, int]], pending: int
) -> None:
    assert paced(*looks).seconds_for(pending) is None

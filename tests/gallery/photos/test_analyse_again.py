"""Failed photos are analysed once more when their photographer wants it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from libs.common.database.tables import photos
from tests.gallery.world import World
from tests.support.people import Person


async def again(world: World, event_id: int, person: Person, **asked: Any) -> Any:
    path = f"/api/photographer/events/{event_id}/photos/analyse-again"
    return await world.client.post(path, json=asked, headers=person.headers)


async def test_failed_photos_wait_for_analysis_again(world: World) -> None:
    photographer = await world.photographer()
    event_id, other = await world.event(photographer), await world.event(photographer)
    failed = [await world.photo(event_id, status="failed", error="cut off") for _ in range(3)]
    elsewhere = await world.photo(other, status="failed", error="cut off")
    done = await world.photo(event_id)
    one = await again(world, event_id, photographer, photo_ids=[failed[0], elsewhere, done])
    assert one.json() == {"message": "1 photos are analysed again.", "scheduled": 1}
    rest = await again(world, event_id, photographer)
    assert rest.json()["scheduled"] == 2
    rows = {row["id"]: row for row in await world.rows(photos)}
    for photo_id in failed:
        assert rows[photo_id]["processing_status"] == "queued"
        assert rows[photo_id]["processing_error"] is None
    assert rows[elsewhere]["processing_status"] == "failed"
    assert rows[done]["processing_status"] == "done"
    sent = await world.sent()
    assert [(topic, body["photo_id"]) for topic, body in sent] == [
        ("photo.uploaded", photo_id) for photo_id in failed
    ]


async def test_nothing_is_analysed_in_an_event_that_is_over_or_anothers(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer, expires_at=datetime.now(UTC) - timedelta(hours=1))
    await world.photo(event_id, status="failed", error="cut off")
    assert (await again(world, event_id, photographer)).status_code == 410
    assert (await again(world, event_id, await world.photographer())).status_code == 404
    assert (await again(world, event_id, photographer, photo_ids=[])).status_code == 422

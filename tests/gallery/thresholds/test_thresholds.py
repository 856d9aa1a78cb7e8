"""How alike a face must be: for all events, and for one."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from libs.common.database.tables import events, matches
from tests.gallery.lists.test_participant_photos import guest_with_matches, ids
from tests.gallery.world import World
from tests.support.people import Person

SHARED = "/api/admin/rekognition/threshold"


async def set_shared(world: World, admin: Person, value: object) -> Any:
    answer = await world.client.post(SHARED, json={"value": value}, headers=admin.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def rematched(world: World) -> list[int]:
    """The events that are to be matched again; each tells everybody to load their lists anew."""
    sent = await world.sent()
    told = [body["event_id"] for topic, body in sent if topic == "match.changed"]
    asked = [body["event_id"] for topic, body in sent if topic == "rematch.requested"]
    assert told == asked
    assert all(body["user_ids"] is None for topic, body in sent if topic == "match.changed")
    return asked


@pytest.mark.parametrize(
    ("value", "stored"),
    [(90, 90.0), (80.5, 80.5), (85.3, 85.3), (250, 100.0), (-3, 60.0), (0, 60.0), (1e-46, 60.0)],
)
async def test_the_shared_threshold_is_read_and_set_between_60_and_100(
    world: World, value: float, stored: float
) -> None:
    admin = await world.admin()
    before = await world.client.get(SHARED, headers=admin.headers)
    assert before.json() == {"threshold": 85.0}
    assert await set_shared(world, admin, value) == {"threshold": stored}
    after = await world.client.get(SHARED, headers=admin.headers)
    assert after.json() == {"threshold": stored}


@pytest.mark.parametrize("body", ["{}", '{"value": "much"}', '{"value": NaN}', '{"value": null}'])
async def test_what_is_no_number_is_refused(world: World, body: str) -> None:
    admin = await world.admin()
    headers = admin.headers | {"Content-Type": "application/json"}
    answer = await world.client.post(SHARED, content=body, headers=headers)
    assert answer.status_code == 422


async def test_a_new_shared_threshold_matches_the_events_again_for_which_it_counts(
    world: World,
) -> None:
    admin = await world.admin()
    first, second, own = [await world.event() for _ in range(3)]
    await world.event(expires_at=datetime.now(UTC) - timedelta(days=1))
    await world.execute(update(events).where(events.c.id == own).values(match_threshold=90))
    await set_shared(world, admin, 80)
    assert await rematched(world) == [first, second]
    await set_shared(world, admin, 80)
    assert await rematched(world) == []


async def test_a_photographer_sets_the_threshold_of_their_event_and_takes_it_back(
    world: World,
) -> None:
    photographer, admin = await world.photographer(), await world.admin()
    event_id = await world.event(photographer)
    path = f"/api/photographer/events/{event_id}/match-threshold"

    async def put(value: float | None, person: Person = photographer) -> Any:
        answer = await world.client.put(path, json={"value": value}, headers=person.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    answer = await world.client.get(path, headers=photographer.headers)
    assert answer.json() == {"event_id": event_id, "threshold": 85.0, "is_own": False}
    assert await put(90) == {"event_id": event_id, "threshold": 90.0, "is_own": True}
    assert await rematched(world) == [event_id]
    await set_shared(world, admin, 80)
    assert await rematched(world) == []
    assert (await world.client.get(path, headers=admin.headers)).json()["threshold"] == 90.0
    assert await put(80, admin) == {"event_id": event_id, "threshold": 80.0, "is_own": True}
    assert await rematched(world) == [event_id]
    assert await put(None) == {"event_id": event_id, "threshold": 80.0, "is_own": False}
    assert await rematched(world) == [], "nothing changed"


async def test_the_threshold_of_an_event_is_its_photographers_and_sensible(world: World) -> None:
    photographer, other = await world.photographer(), await world.photographer()
    path = f"/api/photographer/events/{await world.event(photographer)}/match-threshold"
    for value, status in [(59.9, 400), (100.1, 400), ("x", 422)]:
        answer = await world.client.put(path, json={"value": value}, headers=photographer.headers)
        assert answer.status_code == status
    assert (await world.client.put(path, json={}, headers=photographer.headers)).status_code == 422
    assert (await world.client.get(path, headers=other.headers)).status_code == 404
    answer = await world.client.put(path, json={"value": 90}, headers=other.headers)
    assert answer.status_code == 404
    assert await world.sent() == []


async def test_what_guests_see_follows_the_threshold(world: World) -> None:
    admin = await world.admin()
    event_id = await world.event()
    photo_id = await world.photo(event_id)
    guest, _ = await guest_with_matches(world, event_id, [photo_id])
    await world.execute(update(matches).values(similarity=87))
    for value, shown in [(88, []), (87, [photo_id])]:
        await set_shared(world, admin, value)
        world.app.state.gallery.cache.clear()
        assert await ids(world, guest, "/api/my-photos") == shown


async def test_an_event_is_matched_again_whoever_of_two_changes_comes_last(world: World) -> None:
    admin = await world.admin()
    event_id = await world.event()
    path = f"/api/photographer/events/{event_id}/match-threshold"
    await world.client.put(path, json={"value": 95}, headers=admin.headers)
    await world.sent()
    await asyncio.gather(
        set_shared(world, admin, 70),
        world.client.put(path, json={"value": None}, headers=admin.headers),
    )
    assert set(await rematched(world)) == {event_id}

"""Cameras whose clocks go wrong, put right by their event's photographer."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from libs.common.database.tables import audit, cameras, photos
from libs.common.messaging.messages import EventChanged
from services.gallery.cameras.schemas import MAX_SHIFT_SECONDS
from tests.gallery.world import NOON, World
from tests.support.people import Person
from tests.support.polling import eventually

CLOCK = NOON.replace(tzinfo=None)
HOUR = 3600


@dataclass(frozen=True)
class Event:
    """An event with one camera that is an hour behind, and another that is right."""

    id: int
    photographer: Person
    behind: int
    right: int
    photos: list[int]

    @property
    def path(self) -> str:
        return f"/api/photographer/events/{self.id}/cameras"


@pytest.fixture
async def event(world: World) -> Event:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    body = {"event_id": event_id, "make": "Canon", "model": "Canon EOS R6"}
    behind = await world.insert(cameras, body | {"serial": "1"})
    right = await world.insert(cameras, body | {"serial": "2"})
    stored = []
    # The right one at 0, 10 and 20 minutes, the other between, as if an hour before.
    for camera_id, minutes in ((right, 0), (behind, 5), (right, 10), (behind, 15), (right, 20)):
        photo_id = await world.photo(event_id)
        late = timedelta(minutes=minutes - 60 * (camera_id == behind))
        await world.change(photos, photo_id, camera_id=camera_id, taken_at=CLOCK + late)
        stored.append(photo_id)
    return Event(event_id, photographer, behind, right, stored)


async def set_clock(world: World, event: Event, camera_id: int, seconds: int) -> httpx.Response:
    return await world.client.put(
        f"{event.path}/{camera_id}/clock",
        json={"shift_seconds": seconds},
        headers=event.photographer.headers,
    )


async def told(world: World, event: Event) -> dict[int, Any]:
    answer = await world.client.get(event.path, headers=event.photographer.headers)
    assert answer.status_code == 200, answer.text
    return {camera["id"]: camera for camera in answer.json()}


async def by_time(world: World, event: Event, person: Person) -> list[int]:
    path = f"/api/photographer/events/{event.id}/photos"
    if person is not event.photographer:
        path = f"/api/user/events/{event.id}/all-photos"
    answer = await world.client.get(f"{path}?sort=taken&direction=asc", headers=person.headers)
    return [photo["id"] for photo in answer.json()]


async def test_cameras_are_told_with_what_they_took(world: World, event: Event) -> None:
    await world.photo(event.id)  # of no camera
    elsewhere = await world.event()
    nikon = {"event_id": elsewhere, "make": "Nikon", "model": "Z 6", "serial": ""}
    await world.insert(cameras, nikon)

    found = await told(world, event)

    assert list(found) == [event.right, event.behind]
    right = found[event.right]
    samples = right.pop("samples")
    assert right == {
        "id": event.right,
        "make": "Canon",
        "model": "Canon EOS R6",
        "serial": "2",
        "photos": 3,
        "first_taken_at": CLOCK.isoformat(),
        "last_taken_at": (CLOCK + timedelta(minutes=20)).isoformat(),
        "shift_seconds": 0,
    }
    assert [sample["id"] for sample in samples] == event.photos[::-2]


async def test_a_clock_put_right_moves_its_photos_in_all_lists(world: World, event: Event) -> None:
    guest = await world.person(joined=event.id)
    for person in (event.photographer, guest):
        assert await by_time(world, event, person) != event.photos
    guests_path = f"/api/user/events/{event.id}/all-photos?limit=50"
    before = await world.client.get(guests_path, headers=guest.headers)

    answer = await set_clock(world, event, event.behind, HOUR)

    assert answer.status_code == 200, answer.text
    behind = (await told(world, event))[event.behind]
    assert behind["shift_seconds"] == HOUR
    assert behind["first_taken_at"] == (CLOCK + timedelta(minutes=5)).isoformat()
    assert await by_time(world, event, event.photographer) == event.photos
    [changed] = [body for topic, body in await world.sent() if topic == EventChanged.topic]
    await world.publish(EventChanged.model_validate(changed))

    async def is_seen() -> bool:
        shown = await world.client.get(guests_path, headers=guest.headers)
        return shown.content != before.content

    await eventually(is_seen)
    assert await by_time(world, event, guest) == event.photos


async def test_a_shift_stands_in_for_the_one_before_and_zero_takes_all_back(
    world: World, event: Event
) -> None:
    async def clocks() -> list[datetime]:
        return sorted(photo["taken_at"] for photo in await world.rows(photos))

    before = await clocks()
    for seconds in (HOUR, -63 * 60, HOUR, HOUR, MAX_SHIFT_SECONDS, -MAX_SHIFT_SECONDS):
        assert (await set_clock(world, event, event.behind, seconds)).status_code == 200
        shown = (await told(world, event))[event.behind]
        expected = CLOCK + timedelta(minutes=-55, seconds=seconds)
        assert shown["first_taken_at"] == expected.isoformat()
    await set_clock(world, event, event.behind, 0)
    assert await clocks() == before


async def test_who_put_a_clock_right_is_recorded_once_and_announced(
    world: World, event: Event
) -> None:
    await world.sent()
    for _ in range(2):
        await set_clock(world, event, event.behind, HOUR)

    [row] = [one for one in await world.rows(audit) if one["action"] == "camera.clock_set"]
    assert (row["actor_id"], row["event_id"]) == (event.photographer.id, event.id)
    assert row["object_id"] == event.behind
    assert row["details"] == {"shift_seconds": HOUR, "before": 0, "photos": 2}
    assert [topic for topic, _ in await world.sent()] == ["event.changed"]


async def test_a_camera_of_another_event_is_none(world: World, event: Event) -> None:
    mine = await world.event(event.photographer)
    other = Event(mine, event.photographer, 0, 0, [])

    assert (await set_clock(world, other, event.behind, HOUR)).status_code == 404
    assert (await told(world, event))[event.behind]["shift_seconds"] == 0


@pytest.mark.parametrize("seconds", [MAX_SHIFT_SECONDS + 1, -MAX_SHIFT_SECONDS - 1])
async def test_a_shift_of_more_than_a_lifetime_is_refused(
    world: World, event: Event, seconds: int
) -> None:
    assert (await set_clock(world, event, event.behind, seconds)).status_code == 422


async def test_guests_are_not_told_of_cameras(world: World, event: Event) -> None:
    guest = await world.person(joined=event.id)

    answer = await world.client.get("/api/all-photos", headers=guest.headers)

    assert len(answer.json()) == len(event.photos)
    assert "camera" not in answer.text
    assert "EOS" not in answer.text

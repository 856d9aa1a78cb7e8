"""An event's time zone: where photos without one were taken, in which order, and what is shown."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from libs.common.database.tables import audit, cameras, events, photos
from services.gallery.events.time_zones import clock_in
from tests.gallery.lists.test_orders import walked
from tests.gallery.world import World
from tests.support.people import Person

PARIS, NEW_YORK = "Europe/Paris", "America/New_York"
#: 14:00 in Paris.
NOON = datetime(2026, 6, 13, 12, tzinfo=UTC)


def clock(hour: int, minute: int) -> datetime:
    return datetime(2026, 6, 13, hour, minute)  # noqa: DTZ001 - a camera's


@dataclass(frozen=True)
class Event:
    """Photos of a dinner in Paris, as they were taken; of the scan nothing is said."""

    id: int
    photographer: Person
    admin: Person
    guest: Person
    phone: int
    in_utc: int
    camera: int
    scan: int

    async def change(self, world: World, time_zone: str | None, *, expected: int = 200) -> Any:
        answer = await world.client.patch(
            f"/api/photographer/events/{self.id}/settings",
            json={"time_zone": time_zone},
            headers=self.photographer.headers,
        )
        assert answer.status_code == expected, answer.text
        # Messages stay in the outbox here: nobody else says that lists are others now.
        cleared = await world.client.post("/api/admin/cache/clear", headers=self.admin.headers)
        assert cleared.status_code == 200, cleared.text
        return answer.json()

    def lists(self) -> list[tuple[str, Person]]:
        return [
            (f"/api/user/events/{self.id}/all-photos", self.guest),
            (f"/api/user/events/{self.id}/photos", self.guest),
            (f"/api/photographer/events/{self.id}/photos", self.photographer),
        ]

    async def in_order(self, world: World) -> list[int]:
        """Return the photos as they were taken, by every list and page that there is."""
        found = []
        for (path, person), limit in itertools.product(self.lists(), (1, 3, 100)):
            for direction in ("asc", "desc"):
                query = f"{path}?sort=taken&limit={limit}&direction={direction}"
                pages = await walked(world, person, query)
                ids = [photo_id for page in pages for photo_id in page]
                found.append(ids if direction == "asc" else ids[::-1])
        assert all(one == found[0] for one in found), found
        return found[0]

    async def shown(self, world: World, path: str, person: Person) -> dict[int, Any]:
        answer = await world.client.get(path, headers=person.headers)
        assert answer.status_code == 200, answer.text
        return {one["id"]: (one["taken_at"], one["taken_at_offset"]) for one in answer.json()}


@pytest.fixture
async def event(world: World) -> Event:
    photographer = await world.photographer()
    event_id = await world.event(photographer)

    async def photo(taken_at: datetime | None, offset: int | None) -> int:
        photo_id = await world.photo(event_id, uploaded_at=NOON + timedelta(hours=6))
        await world.change(photos, photo_id, taken_at=taken_at, taken_at_offset=offset)
        return photo_id

    scan = await photo(None, None)
    camera = await photo(clock(14, 5), None)
    in_utc = await photo(clock(12, 2), 0)
    phone = await photo(clock(14, 0), 120)
    guest = await world.person(joined=event_id)
    await world.match(guest, event_id, [phone, in_utc, camera, scan], await world.selfie(guest))
    admin = await world.admin()
    return Event(event_id, photographer, admin, guest, phone, in_utc, camera, scan)


async def test_photos_of_all_cameras_are_in_the_order_in_which_they_were_taken(
    world: World, event: Event
) -> None:
    by_their_clocks = [event.in_utc, event.phone, event.camera, event.scan]
    assert await event.in_order(world) == by_their_clocks

    assert (await event.change(world, PARIS))["time_zone"] == PARIS

    assert await event.in_order(world) == [event.phone, event.in_utc, event.camera, event.scan]
    # The camera's 14:05 is 18:05 in UTC, after what came at 18:00.
    await event.change(world, NEW_YORK)
    assert await event.in_order(world) == [event.phone, event.in_utc, event.scan, event.camera]
    await event.change(world, None)
    assert await event.in_order(world) == by_their_clocks


async def test_all_photos_are_shown_by_the_events_clocks(world: World, event: Event) -> None:
    by_their_own = {
        event.phone: ("2026-06-13T14:00:00", 120),
        event.in_utc: ("2026-06-13T12:02:00", 0),
        event.camera: ("2026-06-13T14:05:00", None),
        event.scan: (None, None),
    }
    in_paris = by_their_own | {
        event.in_utc: ("2026-06-13T14:02:00", 120),
        event.camera: ("2026-06-13T14:05:00", 120),
    }
    for path, person in event.lists():
        assert await event.shown(world, path, person) == by_their_own
    await event.change(world, PARIS)
    for path, person in event.lists():
        assert await event.shown(world, path, person) == in_paris
    await world.execute(update(photos).values(photographer_id=event.photographer.id))
    uploads = await event.shown(world, "/api/my-uploaded-photos", event.photographer)
    assert uploads == in_paris
    # Also of a photo whose row stays as it was.
    await event.change(world, NEW_YORK)
    for path, person in event.lists():
        shown = await event.shown(world, path, person)
        assert shown[event.phone] == ("2026-06-13T08:00:00", -240)


@pytest.mark.parametrize(
    ("shows", "instant", "shown"),
    [
        # Clocks are put forward at 2 in the night to 29 March: this one was not.
        ((3, 29, 2, 30), (3, 29, 1, 30), ("2026-03-29T03:30:00", 120)),
        ((3, 29, 3, 0), (3, 29, 1, 0), ("2026-03-29T03:00:00", 120)),
        # And back at 3 in the night to 25 October: it is half past two for the second time.
        ((10, 25, 2, 30), (10, 25, 1, 30), ("2026-10-25T02:30:00", 60)),
        ((10, 25, 1, 59), (10, 24, 23, 59), ("2026-10-25T01:59:00", 120)),
    ],
)
async def test_hours_that_summer_time_skips_or_repeats_have_one_meaning(
    world: World,
    event: Event,
    shows: tuple[int, ...],
    instant: tuple[int, ...],
    shown: tuple[str, int],
) -> None:
    month, day, hour, minute = shows
    taken_at = datetime(2026, month, day, hour, minute)  # noqa: DTZ001 - a camera's
    await world.change(photos, event.camera, taken_at=taken_at)
    await event.change(world, PARIS)
    [row] = [row for row in await world.rows(photos) if row["id"] == event.camera]
    month, day, hour, minute = instant
    assert row["taken_instant"] == datetime(2026, month, day, hour, minute, tzinfo=UTC)
    path, person = event.lists()[0]
    assert (await event.shown(world, path, person))[event.camera] == shown


async def test_a_clock_that_is_put_right_moves_instants_too(world: World, event: Event) -> None:
    await event.change(world, PARIS)
    body = {"event_id": event.id, "make": "Canon", "model": "R6", "serial": ""}
    camera_id = await world.insert(cameras, body)
    for photo_id in (event.camera, event.in_utc):
        await world.change(photos, photo_id, camera_id=camera_id)
    answer = await world.client.put(
        f"/api/photographer/events/{event.id}/cameras/{camera_id}/clock",
        json={"shift_seconds": -600},
        headers=event.photographer.headers,
    )
    assert answer.status_code == 200, answer.text
    assert await event.in_order(world) == [event.in_utc, event.camera, event.phone, event.scan]
    [told] = answer.json()
    assert told["first_taken_at"] == "2026-06-13T13:52:00"
    assert told["last_taken_at"] == "2026-06-13T13:55:00"


async def test_a_clock_is_judged_by_what_lists_show(world: World, event: Event) -> None:
    await event.change(world, PARIS)
    body = {"event_id": event.id, "make": "Canon", "model": "R6", "serial": ""}
    camera_id = await world.insert(cameras, body)
    await world.change(photos, event.in_utc, camera_id=camera_id)
    path = f"/api/photographer/events/{event.id}/cameras"
    answer = await world.client.get(path, headers=event.photographer.headers)
    [told] = answer.json()
    assert [one["taken_at"] for one in told["samples"]] == ["2026-06-13T14:02:00"]
    assert told["first_taken_at"] == told["last_taken_at"] == "2026-06-13T14:02:00"
    # It was taken at 14:12.
    await world.client.put(
        f"{path}/{camera_id}/clock",
        json={"shift_seconds": 600},
        headers=event.photographer.headers,
    )
    shown = await event.shown(world, *event.lists()[2])
    assert shown[event.in_utc] == ("2026-06-13T14:12:00", 120)


async def test_the_same_time_zone_again_puts_photos_right(world: World, event: Event) -> None:
    await event.change(world, PARIS)
    await world.change(photos, event.camera, taken_instant=None)
    await event.change(world, PARIS)
    assert await event.in_order(world) == [event.phone, event.in_utc, event.camera, event.scan]


async def test_a_service_that_knows_of_no_time_zones_moves_instants_with_clocks(
    world: World, event: Event
) -> None:
    """As the release before does: it adds photos, and sets clocks, by `taken_at` alone."""
    await event.change(world, PARIS)
    added = await world.insert_photo(event.id, taken_at=clock(13, 59))
    await world.change(photos, event.phone, taken_at=clock(14, 3))
    await world.change(photos, added, taken_at_offset=0)  # 15:59 in Paris
    await world.change(photos, event.camera, taken_at=None)
    instants = {row["id"]: row["taken_instant"] for row in await world.rows(photos)}
    assert instants == {
        event.phone: NOON + timedelta(minutes=3),
        event.in_utc: NOON + timedelta(minutes=2),
        added: NOON + timedelta(hours=1, minutes=59),
        event.camera: None,
        event.scan: None,
    }


async def test_who_changed_a_time_zone_is_recorded_and_announced(
    world: World, event: Event
) -> None:
    for _ in range(2):
        await event.change(world, PARIS)
    rows = [row for row in await world.rows(audit) if row["action"] == "event.changed"]
    assert [row["details"] for row in rows] == [{"changed": "time_zone"}]
    assert "event.changed" in [topic for topic, _ in await world.sent()]


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("Europe/Paris", PARIS),
        (" europe/paris ", PARIS),
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("Etc/UTC", "UTC"),
        ("Etc/UCT", "UTC"),
        ("Zulu", "UTC"),
        ("Etc/Greenwich", "UTC"),
        ("Etc/GMT-2", "Etc/GMT-2"),
        ("", None),
        (None, None),
    ],
)
async def test_an_event_is_made_with_a_time_zone_or_without(
    world: World, name: str | None, stored: str | None
) -> None:
    photographer, admin = await world.photographer(), await world.admin()
    for path, person in (
        ("/api/photographer/events", photographer),
        ("/api/admin/create-event", admin),
    ):
        body = {"name": "Gala", "time_zone": name, "photographer_id": photographer.id}
        answer = await world.client.post(path, json=body, headers=person.headers)
        assert answer.status_code == 200, answer.text
        told = await world.client.get("/api/photographer/events", headers=photographer.headers)
        assert told.json()[0]["time_zone"] == stored
        guest = await world.person(joined=answer.json()["event_id"])
        joined = await world.client.get("/api/user/events", headers=guest.headers)
        assert joined.json()[0]["time_zone"] == stored


@pytest.mark.parametrize(
    "name", ["Europe/Atlantis", "CEST", "+02:00", "posix/Europe/Paris", "x" * 999]
)
async def test_a_time_zone_that_is_none_is_refused_and_named(
    world: World, event: Event, name: str
) -> None:
    said = f"There is no time zone {name[:100]!r}."
    assert said in (await event.change(world, name, expected=400))["detail"]
    admin = event.admin
    for method, path, person in (
        ("POST", "/api/photographer/events", event.photographer),
        ("POST", "/api/admin/create-event", admin),
        ("PUT", f"/api/admin/events/{event.id}", admin),
    ):
        body = {"name": "Gala", "time_zone": name}
        answer = await world.client.request(method, path, json=body, headers=person.headers)
        assert (answer.status_code, said in answer.text) == (400, True)
    assert [row["time_zone"] for row in await world.rows(events)] == [None]


async def test_an_admins_change_reorders_and_leaves_what_it_does_not_name(
    world: World, event: Event
) -> None:
    admin = event.admin
    for body in ({"time_zone": PARIS}, {"time_zone": ""}, {"name": "Gala"}):
        path = f"/api/admin/events/{event.id}"
        answer = await world.client.put(path, json=body, headers=admin.headers)
        assert answer.json()["time_zone"] == PARIS, answer.text
    assert (await event.in_order(world))[0] == event.phone


def test_a_clock_shows_what_is_shown_there() -> None:
    assert clock_in("Asia/Kathmandu", NOON) == (clock(17, 45), 345)
    assert clock_in("America/St_Johns", NOON) == (clock(9, 30), -150)

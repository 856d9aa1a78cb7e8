"""What a photographer sees of all events, and makes one."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.common.database.tables import events, photos
from tests.gallery.world import World
from tests.support.people import Person
from tests.support.polling import eventually

IN_A_WEEK = (datetime.now(UTC) + timedelta(days=7)).replace(microsecond=0)


async def overview(world: World, person: Person) -> dict[str, Any]:
    answer = await world.client.get("/api/photographer/overview", headers=person.headers)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def make(world: World, person: Person, **body: object) -> Any:
    return await world.client.post("/api/photographer/events", json=body, headers=person.headers)


async def test_all_events_are_counted_at_a_glance(world: World) -> None:
    ann, bob = await world.photographer(), await world.photographer()
    over = await world.event(ann, expires_at=datetime.now(UTC) - timedelta(days=1))
    gala, others = await world.event(ann), await world.event(bob)
    for status in ("done", "done", "queued", "analyzed", "failed"):
        await world.photo(gala, status=status)
    await world.photo(others)
    for _ in range(2):
        await world.join(await world.person(), gala)
    found = await overview(world, ann)
    assert found["event_lifetime_days"] == 90
    shown = [
        [event[key] for key in ("id", "is_over", "photos", "pending", "failed", "guests")]
        for event in found["events"]
    ]
    assert shown == [[gala, False, 5, 2, 1, 2], [over, True, 0, 0, 0, 0]]
    all_of_them = await overview(world, await world.admin())
    assert [event["id"] for event in all_of_them["events"]] == [others, gala, over]


async def test_a_photographer_makes_an_event_of_their_own(world: World) -> None:
    ann = await world.photographer()
    answer = await make(
        world,
        ann,
        name="Gala",
        event_code="GALA2026",
        expires_at=IN_A_WEEK.isoformat(),
        selected_only=True,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["event_code"] == "GALA2026"
    [row] = await world.rows(events)
    assert (row["photographer_id"], row["expires_at"]) == (ann.id, IN_A_WEEK)
    assert row["selected_only"]
    assert (await make(world, ann, name="Again", event_code="gala2026")).status_code == 400


async def test_an_event_ends_by_itself_where_nobody_says_when(world: World) -> None:
    assert (await make(world, await world.photographer(), name="Party")).status_code == 200
    [row] = await world.rows(events)
    assert row["expires_at"] - row["created_at"] == timedelta(days=90)


@pytest.mark.parametrize(
    ("date", "end"),
    [
        (None, datetime.now(UTC) - timedelta(days=1)),
        (IN_A_WEEK, IN_A_WEEK - timedelta(days=1)),
        (None, datetime.now(UTC) + timedelta(days=4000)),
        (datetime.now(UTC) + timedelta(days=4000), None),
    ],
)
async def test_an_end_that_makes_no_sense_is_refused(
    world: World, date: datetime | None, end: datetime | None
) -> None:
    answer = await make(
        world,
        await world.photographer(),
        name="Party",
        date=date and date.isoformat(),
        expires_at=end and end.isoformat(),
    )
    assert answer.status_code == 400
    assert await world.rows(events) == []


async def test_whose_an_event_is_only_admins_say(world: World) -> None:
    ann, bob, admin = await world.photographer(), await world.photographer(), await world.admin()
    assert (await make(world, ann, name="Gala", photographer_id=bob.id)).status_code == 404
    assert (await make(world, admin, name="Gala", photographer_id=bob.id)).status_code == 200
    assert (await make(world, admin, name="Party")).status_code == 200
    whose = {row["name"]: row["photographer_id"] for row in await world.rows(events)}
    assert whose == {"Gala": bob.id, "Party": None}


async def test_an_events_photos_are_counted_by_the_minute(world: World) -> None:
    ann = await world.photographer()
    gala, other = await world.event(ann), await world.event(ann)
    now = datetime.now(UTC)
    moments = [now, now, now - timedelta(minutes=10), now - timedelta(hours=2)]
    for moment in moments:
        await world.photo(gala, uploaded_at=moment, status="queued")
    await world.photo(other, uploaded_at=now)
    photo = await world.photo(gala, uploaded_at=now - timedelta(hours=1), status="queued")
    done = {"analyzed_at": now, "finished_at": now, "processing_status": "done"}
    await world.change(photos, photo, **done)
    answer = await world.client.get(f"/api/photographer/events/{gala}/pace", headers=ann.headers)
    assert answer.status_code == 200
    minutes = answer.json()["minutes"]
    assert len(minutes) == 30
    assert sum(minute["received"] for minute in minutes) == 3
    assert sum(minute["done"] for minute in minutes) == 1
    assert minutes == sorted(minutes, key=lambda minute: minute["minute"])


@pytest.mark.parametrize("path", ["overview", "events/{event_id}/pace"])
async def test_what_pages_ask_for_again_and_again_waits_its_turn_among_lists(
    world: World, path: str
) -> None:
    photographer = await world.photographer()
    path = path.format(event_id=await world.event(photographer))
    loads = world.app.state.gallery.list_loads
    async with loads.turn("somebody else", size=loads._at_once):
        asked = asyncio.create_task(
            world.client.get(f"/api/photographer/{path}", headers=photographer.headers)
        )
        await eventually(lambda: loads.waiting == 1)
        assert not asked.done()
    assert (await asked).status_code == 200

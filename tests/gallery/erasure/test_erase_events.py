"""What is erased of events that are over, when, and who is told before."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from libs.common.database.audit import Action
from libs.common.database.tables import (
    audit,
    cameras,
    event_notices,
    events,
    mails,
    match_overrides,
    photos,
    selfie_indexes,
    selfies,
    walls,
)
from services.gallery import metrics
from services.gallery.erasure.erase_events import EventEraser
from services.gallery.gallery import Gallery
from tests.gallery.world import World

DAY = timedelta(days=1)


def eraser(
    world: World, *, grace: timedelta = 30 * DAY, notice: timedelta = 7 * DAY
) -> EventEraser:
    # By the service's own role, whose rights must be enough.
    gallery: Gallery = world.app.state.gallery
    return EventEraser(gallery.database, grace=grace, notice=notice, rows_at_once=2)


async def ended(world: World, ago: timedelta, **values: Any) -> int:
    event_id = await world.event(await world.photographer())
    await ends(world, event_id, ago, **values)
    return event_id


async def ends(world: World, event_id: int, ago: timedelta, **values: Any) -> None:
    end: Any = func.now() - ago
    await world.change(events, event_id, expires_at=end, **values)


async def event_row(world: World, event_id: int) -> dict[str, Any]:
    return next(row for row in await world.rows(events) if row["id"] == event_id)


@pytest.mark.parametrize(
    ("grace", "ago", "is_erased"),
    [(30, 29.9, False), (30, 30.1, True), (0, -0.1, False), (0, 0.0, True)],
)
async def test_an_event_is_erased_once_its_grace_period_is_over(
    world: World, grace: float, ago: float, is_erased: bool
) -> None:
    event_id = await ended(world, ago * DAY)
    photo_ids = [await world.photo(event_id) for _ in range(5)]
    assert await eraser(world, grace=grace * DAY).erase() == int(is_erased)
    left = {row["id"] for row in await world.rows(photos)}
    assert left == (set() if is_erased else set(photo_ids))
    row = await event_row(world, event_id)
    assert (row["erased_at"] is not None) == (row["erasure_began_at"] is not None) == is_erased


async def test_a_second_time_there_is_nothing_to_do(world: World) -> None:
    event_id = await ended(world, 40 * DAY)
    assert [await eraser(world).erase() for _ in range(2)] == [1, 0]
    told = await world.sent()
    assert [topic for topic, _ in told] == ["event.changed", "event.deleted", "event.deleted"]
    assert {body["event_id"] for _, body in told} == {event_id}
    (row,) = await world.rows(audit)
    assert (row["action"], row["event_id"], row["actor_id"]) == (
        Action.EVENT_ERASED.value,
        event_id,
        None,
    )


async def test_killed_at_any_moment_it_goes_on_where_it_was(world: World) -> None:
    event_id = await ended(world, 40 * DAY)
    guest = await world.person(joined=event_id)
    selfie_id = await world.selfie(guest)
    await world.index(selfie_id, event_id, guest, status="done")
    for _ in range(3):
        photo_id = await world.photo(event_id)
        await world.match(guest, event_id, [photo_id], selfie_id)
    steps = 0
    while not (await event_row(world, event_id))["erased_at"]:
        # Each step is a transaction of its own, by a replica that knows nothing of the one before.
        await eraser(world)._once()
        steps += 1
    assert steps == 5  # closed, two and one photos, an index, the end
    assert await world.rows(photos) == await world.rows(selfie_indexes) == []
    assert await world.scalar("SELECT count(*) FROM matches") == 0


async def test_an_event_that_had_ended_before_there_was_an_eraser_is_kept_for_longer(
    world: World,
) -> None:
    in_a_week: Any = func.now() + 7 * DAY
    event_id = await ended(world, 400 * DAY, kept_until=in_a_week)
    assert await eraser(world).erase() == 0
    past: Any = func.now() - DAY
    await world.change(events, event_id, kept_until=past)
    assert await eraser(world).erase() == 1


async def test_photos_that_came_in_at_the_last_moment_go_as_well(world: World) -> None:
    event_id = await ended(world, 40 * DAY)
    await eraser(world).erase()
    await world.photo(event_id)
    assert await eraser(world).erase() == 1
    assert await world.rows(photos) == []


async def test_other_events_and_what_was_said_in_them_stay(world: World) -> None:
    gone, stays = await ended(world, 40 * DAY), await world.event()
    guest = await world.person(joined=gone)
    await world.join(guest, stays)
    selfie_id = await world.insert_selfie(guest, engine="embedded", embedding=b"face")
    alone = await world.person(joined=gone)
    await world.insert_selfie(alone, engine="embedded", embedding=b"face")
    look = {"accent": "#0B6E4F", "consent_text": "Ask Zoë."}
    for event_id in (gone, stays):
        photo_id = await world.photo(event_id)
        await world.change(events, event_id, cover_photo_id=photo_id, **look)
        await world.execute(walls.insert().values(id=uuid4(), event_id=event_id))
        camera = {"make": "Canon", "model": "R6", "serial": "1"}
        await world.insert(cameras, camera | {"event_id": event_id})
        await world.index(selfie_id, event_id, guest, status="done")
        await world.execute(
            match_overrides.insert().values(
                user_id=guest.id, event_id=event_id, photo_id=photo_id, verdict="added"
            )
        )
    await eraser(world).erase()
    for table in (photos, selfie_indexes, match_overrides, walls, cameras):
        assert [row["event_id"] for row in await world.rows(table)] == [stays]
    looks = {row["id"]: {name: row[name] for name in look} for row in await world.rows(events)}
    assert looks == {gone: dict.fromkeys(look), stays: look}
    faces = {row["user_id"]: row["embedding"] for row in await world.rows(selfies)}
    assert faces == {guest.id: b"face", alone.id: None}


async def test_the_code_of_an_erased_event_can_be_used_again(world: World) -> None:
    event_id = await ended(world, 40 * DAY)
    code = (await event_row(world, event_id))["event_code"]
    await eraser(world).erase()
    admin = await world.admin()
    answer = await world.client.post(
        "/api/admin/create-event",
        json={"name": "The next one", "event_code": code},
        headers=admin.headers,
    )
    assert answer.status_code == 200, answer.text
    listed = (await world.client.get("/api/admin/events", headers=admin.headers)).json()
    assert [one["event_code"] for one in listed] == [code, code]


async def test_what_should_have_been_erased_is_shown(world: World) -> None:
    await ended(world, 32 * DAY)
    await ended(world, 20 * DAY)
    job = eraser(world)
    gauges = metrics.EVENTS_TO_ERASE, metrics.EVENTS_TO_ERASE_OLDEST
    question = Shown()
    assert await job._look(question) == 60.0  # type: ignore[arg-type]
    assert question.values[gauges[0]] == 1
    assert 2 * 86400 <= question.values[gauges[1]] < 2 * 86400 + 60
    await job.erase()
    await job._look(question)  # type: ignore[arg-type]
    assert [question.values[gauge] for gauge in gauges] == [0, 0]


class Shown:
    """Keeps what a question was answered with."""

    def __init__(self) -> None:
        self.values: dict[Any, float] = {}

    def answer(self, values: dict[Any, float], *, again_in_seconds: float) -> None:
        self.values |= values


async def test_the_eraser_wakes_when_the_next_event_is_due(world: World) -> None:
    event_id = await ended(world, -timedelta(seconds=20))
    pause = await eraser(world, grace=timedelta(0))._look(Shown())  # type: ignore[arg-type]
    assert 10 < pause <= 20
    await ends(world, event_id, -DAY)
    assert await eraser(world)._look(Shown()) == 60.0  # type: ignore[arg-type]


async def told(world: World) -> list[tuple[str, int]]:
    """Who gets which mail."""
    async with world.database.read() as connection:
        rows = await connection.execute(
            select(mails.c.template, mails.c.user_id).order_by(mails.c.id)
        )
        return sorted((row.template, row.user_id) for row in rows)


async def test_the_photographer_and_guests_are_told_once_before_the_end(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    guests = [await world.person(joined=event_id) for _ in range(3)]
    await ends(world, event_id, -8 * DAY)
    assert await eraser(world).announce() == 0
    await ends(world, event_id, -6.9 * DAY)
    assert [await eraser(world).announce() for _ in range(2)] == [4, 0]
    assert await told(world) == [
        *(("event_ends_for_guest", guest.id) for guest in guests),
        ("event_ends_for_photographer", photographer.id),
    ]
    latecomer = await world.person(joined=event_id)
    assert await eraser(world).announce() == 1
    assert ("event_ends_for_guest", latecomer.id) in await told(world)


async def test_the_photographer_is_told_again_before_the_erasure_and_guests_are_not(
    world: World,
) -> None:
    event_id = await ended(world, 24 * DAY)
    await world.person(joined=event_id)
    assert [await eraser(world).announce() for _ in range(2)] == [1, 0]
    ((template, _),) = await told(world)
    assert template == "event_ends_for_photographer"
    content = await world.scalar("SELECT content FROM mails")
    assert set(content) == {"event", "until", "erased"}
    assert await eraser(world, notice=timedelta(0)).announce() == 0


async def test_a_prolonged_event_is_announced_anew(world: World) -> None:
    event_id = await world.event(await world.photographer())
    await ends(world, event_id, -3 * DAY)
    assert await eraser(world).announce() == 1
    await ends(world, event_id, -5 * DAY)
    assert [await eraser(world).announce() for _ in range(2)] == [1, 0]
    assert len(await world.rows(event_notices)) == 1


async def test_a_restored_event_that_was_erased_is_closed_and_swept(world: World) -> None:
    """As the restore leaves it: marked as begun, whatever its end is."""
    event_id = await ended(world, -30 * DAY, erasure_began_at=func.now())
    await world.photo(event_id)
    assert await eraser(world).erase() == 1
    assert await world.rows(photos) == []


async def test_the_erasure_is_noted_for_restores(world: World) -> None:
    event_id = await ended(world, 40 * DAY)
    await eraser(world).erase()
    noted = await world.scalar(
        "SELECT key = (SELECT md5(id || ' ' || extract(epoch FROM created_at)) FROM events"
        " WHERE id = :id) FROM erasures WHERE kind = 'erased_events'",
        id=event_id,
    )
    assert noted is True


async def test_an_event_that_is_prolonged_at_the_last_moment_is_not_erased(world: World) -> None:
    event_id = await ended(world, 40 * DAY)
    await world.photo(event_id)
    admin = await world.admin()
    answer = await world.client.post(
        f"/api/admin/events/{event_id}/reset-expiration", headers=admin.headers
    )
    assert answer.status_code == 200
    assert await eraser(world).erase() == 0
    assert len(await world.rows(photos)) == 1

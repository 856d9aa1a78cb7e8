"""Cameras whose photos are all gone."""

import asyncio
from dataclasses import dataclass

import pytest
from sqlalchemy import select

from libs.common.database.tables import cameras, photos
from tests.gallery.world import World
from tests.support.locks import someone_waits
from tests.support.people import Person
from tests.support.polling import eventually


@dataclass(frozen=True)
class Event:
    """An event with two photos of one camera, and one of another."""

    photographer: Person
    path: str
    id: int
    camera: int
    other: int
    photos: list[int]


@pytest.fixture
async def event(world: World) -> Event:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    body = {"event_id": event_id, "make": "Canon", "model": "Canon EOS R6"}
    camera = await world.insert(cameras, body | {"serial": "1"})
    other = await world.insert(cameras, body | {"serial": "2"})
    stored = []
    for camera_id in (camera, camera, other):
        stored.append(photo_id := await world.photo(event_id))
        await world.change(photos, photo_id, camera_id=camera_id)
    path = f"/api/photographer/events/{event_id}/cameras"
    return Event(photographer, path, event_id, camera, other, stored)


async def known(world: World) -> set[int]:
    return {row["id"] for row in await world.rows(cameras)}


async def delete(world: World, event: Event, *photo_ids: int) -> None:
    answer = await world.client.delete(
        "/api/photos",
        params={"photo_ids": ",".join(map(str, photo_ids))},
        headers=event.photographer.headers,
    )
    assert answer.status_code == 200, answer.text


async def set_clock(world: World, event: Event, seconds: int) -> None:
    answer = await world.client.put(
        f"{event.path}/{event.camera}/clock",
        json={"shift_seconds": seconds},
        headers=event.photographer.headers,
    )
    assert answer.status_code == 200, answer.text


async def test_a_camera_is_forgotten_with_the_last_of_its_photos(
    world: World, event: Event
) -> None:
    first, last, _ = event.photos
    await delete(world, event, first)
    assert await known(world) == {event.camera, event.other}
    await delete(world, event, last)
    assert await known(world) == {event.other}


async def test_a_clock_that_was_set_is_kept_for_photos_that_come_again_until_it_is_set_back(
    world: World, event: Event
) -> None:
    first, last, _ = event.photos
    await set_clock(world, event, 3780)
    await delete(world, event, first, last)
    [kept] = [row for row in await world.rows(cameras) if row["id"] == event.camera]
    assert kept["shift_seconds"] == 3780
    told = await world.client.get(event.path, headers=event.photographer.headers)
    assert [(one["id"], one["photos"], one["samples"]) for one in told.json()] == [
        (event.other, 1, []),
        (event.camera, 0, []),
    ]
    await set_clock(world, event, 0)
    assert await known(world) == {event.other}


async def test_a_photo_that_comes_at_that_moment_keeps_its_camera(
    world: World, event: Event
) -> None:
    first, last, _ = event.photos
    await delete(world, event, first)
    coming = await world.photo(event.id)
    async with world.database.unit_of_work() as unit:
        # As ingest does.
        lock = select(cameras.c.id).where(cameras.c.id == event.camera)
        await unit.connection.execute(lock.with_for_update(read=True))
        of_camera = photos.update().where(photos.c.id == coming)
        await unit.connection.execute(of_camera.values(camera_id=event.camera))
        deleting = asyncio.create_task(delete(world, event, last))
        try:
            await eventually(lambda: someone_waits(world.database))
        except BaseException:
            deleting.cancel()
            raise
    await deleting
    assert await known(world) == {event.camera, event.other}
    [row] = [row for row in await world.rows(photos) if row["id"] == coming]
    assert row["camera_id"] == event.camera

"""Guests and photos of the truth, written as clients and ingest would have written them."""

import random
from collections.abc import Sequence

from tests.faults.truth import Guest, Photo
from tests.support.world import World


async def add_guests(
    world: World, rng: random.Random, event_ids: Sequence[int], count: int
) -> list[Guest]:
    """Register guests, who have not sent a selfie yet; every fourth joins two events."""
    guests = []
    for person in range(1, count + 1):
        joined = tuple(rng.sample(event_ids, 2 if person % 4 == 0 and len(event_ids) > 1 else 1))
        user_id = await world.user()
        for event_id in joined:
            await world.join(user_id, event_id)
        guests.append(Guest(user_id, person, joined))
    return guests


async def add_selfie(world: World, guest: Guest) -> None:
    """Store a guest's selfie, and queue it for each of their events."""
    await world.selfie(guest.user_id, guest.selfie_script(0))


async def add_photo(
    world: World, photo: Photo, *, publish: bool = True, in_bulk: bool = False
) -> int:
    """Store a photo, queued unless told otherwise; return its id."""
    return await world.photo(
        photo.event_id, photo.script, name=photo.name, publish=publish, in_bulk=in_bulk
    )

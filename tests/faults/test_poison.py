"""Photos that kill whoever touches them."""

import random

from services.recognition.photos.analyze_photo import LOST_REASON
from tests.faults.deployment import Deployment
from tests.faults.oracle import State, differences
from tests.faults.population import add_guests, add_photo, add_selfie
from tests.faults.sizes import short_and_long
from tests.faults.truth import Truth, invent_photos
from tests.support.polling import eventually

POISON = "poison.jpg"

sizes = short_and_long("photos", 30, 200)


@sizes
async def test_a_photo_that_kills_its_worker_fails_with_a_reason_and_harms_no_other(
    deployment: Deployment, rng: random.Random, photos: int
) -> None:
    await deployment.fleet.add_recognition(1)
    truth = await come_in(deployment, rng, photos, poison="crash")
    state = await end(deployment, truth)
    assert differences(state.without(POISON), truth) == []
    assert state.photo(POISON).processing_status == "failed"
    assert "face worker died" in state.photo(POISON).processing_error
    assert len([call for call in deployment.calls() if call.name == POISON]) == 2
    assert [service.starts for service in deployment.fleet.services] == [1]


@sizes
async def test_a_photo_that_its_decoder_never_ends_fails_with_a_reason_and_harms_no_other(
    deployment: Deployment, rng: random.Random, photos: int
) -> None:
    deployment.fleet.environment["ANALYZE_TIMEOUT_SECONDS"] = "4"
    await deployment.fleet.add_recognition(1)
    truth = await come_in(deployment, rng, photos, poison="spin")
    state = await end(deployment, truth)
    assert differences(state.without(POISON), truth) == []
    assert state.photo(POISON).processing_status == "failed"
    assert "gave no answer in 4 seconds" in state.photo(POISON).processing_error
    assert len([call for call in deployment.calls() if call.name == POISON]) == 2
    assert [service.starts for service in deployment.fleet.services] == [1]


@sizes
async def test_a_photo_that_kills_the_whole_service_is_given_up_and_harms_no_other(
    deployment: Deployment, rng: random.Random, photos: int
) -> None:
    deployment.fleet.environment |= {"PARTITION_LEASE_SECONDS": "3", "PARTITION_RENEW_SECONDS": "1"}
    await deployment.fleet.add_recognition(2)
    truth = await come_in(deployment, rng, photos, poison="kill")
    state = await end(deployment, truth)
    assert differences(state.without(POISON), truth) == []
    assert state.photo(POISON).processing_status == "failed"
    assert state.photo(POISON).processing_error == LOST_REASON
    assert sum(service.starts for service in deployment.fleet.services) > 2


async def come_in(deployment: Deployment, rng: random.Random, photos: int, *, poison: str) -> Truth:
    """Photos and selfies of two events, with the poison among the first; return the others."""
    world = deployment.world
    events = [await world.event() for _ in range(2)]
    guests = await add_guests(world, rng, events, 4)
    truth = Truth(invent_photos(rng, events, guests, photos), guests)
    for guest in guests:
        await add_selfie(world, guest)
    for number, photo in enumerate(truth.photos):
        if number == photos // 5:
            await world.photo(events[0], f"{poison}\n{POISON}", name=POISON)
        await add_photo(world, photo)
    return truth


async def end(deployment: Deployment, truth: Truth) -> State:
    """The state once all have come to their end and the poison's message is put away."""
    state = await deployment.settled(
        photos=len(truth.photos) + 1,
        selfies=sum(len(guest.event_ids) for guest in truth.guests),
        timeout=120,
    )

    async def is_put_away() -> bool:
        nonlocal state
        state = await deployment.state()
        return bool(state.dead_letters)

    await eventually(is_put_away, poll_seconds=0.2)
    assert [(row.routing_key[:14], bool(row.reason)) for row in state.dead_letters] == [
        ("photo.uploaded", True)
    ]
    await deployment.fleet.stop()
    assert await deployment.queues() == {}
    return state

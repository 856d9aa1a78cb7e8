"""Replicas come and go while photos come in."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Sequence

from libs.common import tasks
from libs.common.messaging.bus.topology import BUCKETS, bucket_of
from tests.faults.deployment import Deployment
from tests.faults.oracle import State, differences, handled_concurrently, indexed_again
from tests.faults.population import add_guests, add_photo, add_selfie
from tests.faults.sizes import short_and_long
from tests.faults.truth import Truth, invent_photos
from tests.support.engine_calls import EngineCall
from tests.support.polling import PATIENCE_SECONDS, eventually

STALL_SECONDS = 5.0
#: A photo for each partition in turn: at most this long without work for any of them.
ROUND_SECONDS = 3.0


@short_and_long("photos", 30, 200)
async def test_scaling_from_1_to_4_to_2_stalls_no_partition_and_doubles_no_work(
    deployment: Deployment, rng: random.Random, photos: int
) -> None:
    """`photos` must be done with each number of replicas before it changes."""
    fleet, world = deployment.fleet, deployment.world
    fleet.environment |= {"SCRIPTED_SECONDS": "0.05", "PHOTO_QUEUE_WORKERS": "1"}
    events = await an_event_per_partition(deployment)
    guests = await add_guests(world, rng, events, 8)
    for guest in guests:
        await add_selfie(world, guest)
    await fleet.add_recognition(1)

    truth = Truth(guests=guests)
    load = asyncio.create_task(keep_coming(deployment, truth, rng, events))
    try:
        await further_photos_done(deployment, photos)
        await fleet.add_recognition(3)
        await further_photos_done(deployment, photos)
        await asyncio.gather(*(replica.stop() for replica in fleet.services[:2]))
        await further_photos_done(deployment, photos)
    finally:
        await tasks.end(load)

    state = await deployment.settled(
        photos=len(truth.photos),
        selfies=sum(len(guest.event_ids) for guest in guests),
        timeout=PATIENCE_SECONDS,
    )
    await fleet.stop()
    assert differences(state, truth) == []
    assert await deployment.queues() == {}
    assert [service.starts for service in fleet.services] == [1] * 4
    calls = deployment.calls()
    assert handled_concurrently(calls) == []
    assert analyzed_again(calls) == []
    assert indexed_again(calls, truth) == []
    assert stalled(state) == {}


async def an_event_per_partition(deployment: Deployment) -> list[int]:
    """Events, each in another partition."""
    events: dict[int, int] = {}
    while len(events) < BUCKETS:
        event = await deployment.world.event()
        events.setdefault(bucket_of(event), event)
    return list(events.values())


async def keep_coming(
    deployment: Deployment, truth: Truth, rng: random.Random, events: list[int]
) -> None:
    """Add a photo to each event in turn until cancelled."""
    for number, event in enumerate(itertools.cycle(events)):
        (photo,) = invent_photos(rng, [event], truth.guests, 1, first=number)
        # Not cancelled halfway: what was added is in the truth.
        truth.photos.append(photo)
        await asyncio.shield(add_photo(deployment.world, photo))
        await asyncio.sleep(ROUND_SECONDS / len(events))


async def further_photos_done(deployment: Deployment, count: int) -> None:
    """Wait until that many more photos are done than now."""

    async def done() -> int:
        return int(
            await deployment.world.scalar(
                "SELECT count(*) FROM photos WHERE processing_status = 'done'"
            )
        )

    before = await done()

    async def are_done() -> bool:
        return await done() >= before + count

    await eventually(are_done, timeout=120, poll_seconds=0.1, message=deployment.fleet.tails)


def analyzed_again(calls: Sequence[EngineCall]) -> list[str]:
    """Photos that an engine had more often than once: nobody was killed here."""
    counts = Counter(call.name for call in calls if call.name.startswith("photo-"))
    return [name for name, count in counts.items() if count > 1]


def stalled(state: State) -> dict[int, float]:
    """The partitions of which a photo was not done in time, and how long the slowest took.

    One photo after the other comes in, far fewer than a replica can do: what waits, waits for
    its partition.
    """
    seconds: dict[int, float] = {}
    for row in state.photos:
        partition = bucket_of(row.event_id)
        took = (row.finished_at - row.uploaded_at).total_seconds()
        seconds[partition] = max(took, seconds.get(partition, 0.0))
    print(f"slowest photo: {max(seconds.values()):.2f} s")  # noqa: T201 - shown by -rP
    return {partition: took for partition, took in seconds.items() if took > STALL_SECONDS}

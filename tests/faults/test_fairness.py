"""A small event beside a hot one."""

import time
from collections.abc import Sequence

from libs.common.messaging.bus.topology import PHOTOS_AHEAD, bucket_of, lane_of
from tests.faults.deployment import Deployment
from tests.faults.population import add_photo
from tests.faults.sizes import short_and_long
from tests.faults.truth import Photo
from tests.support.polling import eventually

SMALL = 20
#: What a photo costs an engine: much more than its messages cost this machine's processor.
SECONDS = "0.5"


@short_and_long("hot", 120, 600)
async def test_a_small_event_waits_at_most_three_times_as_long_behind_a_hot_one(
    deployment: Deployment, hot: int
) -> None:
    deployment.fleet.environment["SCRIPTED_SECONDS"] = SECONDS
    await deployment.fleet.add_recognition(2)
    alone, crowd, beside = await three_events(deployment)

    idle_seconds = await seconds_until_done(deployment, alone)
    for number in range(hot):
        photo = Photo(f"hot-{number}.jpg", crowd, (number,))
        await add_photo(deployment.world, photo, in_bulk=number >= PHOTOS_AHEAD)
    busy_seconds = await seconds_until_done(deployment, beside)

    print(f"idle {idle_seconds:.2f} s, beside {busy_seconds:.2f} s")  # noqa: T201 - shown by -rP
    assert await unfinished(deployment, [crowd]) > 0, "the hot event was over before"
    assert busy_seconds <= 3 * idle_seconds


async def three_events(deployment: Deployment) -> tuple[int, int, int]:
    """A small, the hot and a second small one, all of one lane."""
    first = await deployment.world.event()
    lane = lane_of(bucket_of(first))
    others = [await deployment.world.event() for _ in range(64)]
    hot, second, *_ = (event for event in others if lane_of(bucket_of(event)) == lane)
    return first, hot, second


async def seconds_until_done(deployment: Deployment, event: int) -> float:
    """Add a small event's photos, and measure until the last one is done."""
    started = time.monotonic()
    for number in range(SMALL):
        await add_photo(deployment.world, Photo(f"{event}-{number}.jpg", event, (number,)))

    async def all_done() -> bool:
        return await unfinished(deployment, [event]) == 0

    await eventually(all_done, poll_seconds=0.05, message=deployment.fleet.tails)
    return time.monotonic() - started


async def unfinished(deployment: Deployment, events: Sequence[int]) -> int:
    """How many photos of the events are not done."""
    return int(
        await deployment.world.scalar(
            "SELECT count(*) FROM photos"
            " WHERE event_id = ANY(:events) AND processing_status <> 'done'",
            events=list(events),
        )
    )

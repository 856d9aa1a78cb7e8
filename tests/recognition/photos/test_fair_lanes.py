"""A small event beside a large one on the same lane."""

import pytest

from libs.common.messaging.bus.topology import PHOTOS_AHEAD, bucket_of, lane_of
from libs.common.messaging.messages import PhotoUploaded
from tests.support.polling import eventually
from tests.support.world import World

pytestmark = pytest.mark.usefixtures("recognition")

#: All messages are one batch of the relay.
LARGE = 170
SMALL = 5


async def test_a_small_event_passes_the_photos_in_bulk_of_one_that_shares_its_lane(
    world: World,
) -> None:
    large = await world.event()
    while lane_of(bucket_of(small := await world.event())) != lane_of(bucket_of(large)):
        pass
    # No photo has a face: only the lanes decide.
    crowd = [await world.photo(large, "people", publish=False) for _ in range(LARGE)]
    photos = [await world.photo(small, "people", publish=False) for _ in range(SMALL)]
    async with world.database.unit_of_work() as unit:
        for number, photo in enumerate(crowd):
            in_bulk = number >= PHOTOS_AHEAD
            unit.publish(PhotoUploaded(event_id=large, photo_id=photo, in_bulk=in_bulk))
        for photo in photos:
            unit.publish(PhotoUploaded(event_id=small, photo_id=photo))

    async def all_are_done() -> bool:
        return not await world.scalar(
            "SELECT count(*) FROM photos WHERE processing_status <> 'done'"
        )

    await eventually(all_are_done)
    passed = await world.scalar(
        """
        SELECT count(*) FROM photos WHERE event_id = :large AND finished_at >
            (SELECT max(finished_at) FROM photos WHERE id = ANY(:photos))
        """,
        large=large,
        photos=photos,
    )
    assert passed > LARGE / 2

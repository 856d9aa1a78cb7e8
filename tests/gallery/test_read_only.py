"""A database that takes no changes: guests see their photos, and changes are to be made later."""

from tests.gallery.lists.test_participant_photos import guest_with_matches, ids
from tests.gallery.world import World
from tests.support.polling import eventually
from tests.support.postgres import Postgres
from tests.support.read_only import read_only

THRESHOLD = "/api/admin/rekognition/threshold"


async def test_of_a_read_only_database_lists_are_served_and_changes_are_to_be_made_later(
    world: World, postgres_faults: Postgres
) -> None:
    admin = await world.admin()
    event_id = await world.event()
    photos = [await world.photo(event_id)]
    guest, _ = await guest_with_matches(world, event_id, photos)

    async def set_threshold() -> tuple[int, bool]:
        answer = await world.client.post(THRESHOLD, json={"value": 90}, headers=admin.headers)
        return answer.status_code, "Retry-After" in answer.headers

    async with read_only(postgres_faults):
        assert await set_threshold() == (503, True)
        assert await ids(world, guest, "/api/my-photos") == photos

        async def is_told() -> bool:
            ready = await world.client.get("/readyz")
            assert ready.status_code == 200, ready.text
            return "takes no changes" in ready.json()["checks"]["primary"]

        await eventually(is_told)
    assert await set_threshold() == (200, False)

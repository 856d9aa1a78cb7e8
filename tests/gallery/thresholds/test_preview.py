"""What another threshold would change is said before it is changed."""

from typing import Any

from tests.gallery.in_photo.test_verdicts import Guest
from tests.gallery.world import World


async def test_a_threshold_is_tried_before_it_is_set(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    person = await world.person(joined=event_id)
    guest = Guest(world, person, event_id, await world.selfie(person))
    for likeness in (99.0, 92.0, 87.0, 86.0, 83.0, 76.0):
        await guest.photo(likeness)
    denied = await guest.photo(86.5)
    assert (await guest.say(denied, "not-me")).status_code == 200
    path = f"/api/photographer/events/{event_id}/match-threshold"

    async def tried(value: float) -> dict[str, Any]:
        answer = await world.client.get(
            f"{path}/preview", params={"value": value}, headers=photographer.headers
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        assert (found.pop("event_id"), found.pop("threshold")) == (event_id, value)
        return found

    assert await tried(85) == {"shown": 4, "gained": 0, "doubted": 0, "lost": 0}
    assert await tried(90) == {"shown": 4, "gained": 0, "doubted": 2, "lost": 0}
    assert await tried(97) == {"shown": 4, "gained": 0, "doubted": 2, "lost": 1}
    assert await tried(80) == {"shown": 4, "gained": 1, "doubted": 0, "lost": 0}
    assert await tried(75) == {"shown": 4, "gained": 2, "doubted": 0, "lost": 0}
    for value in ("59", "101", "NaN", "much"):
        answer = await world.client.get(
            f"{path}/preview", params={"value": value}, headers=photographer.headers
        )
        assert answer.status_code == 422

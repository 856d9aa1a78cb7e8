"""Admins look which faces were found for whom."""

from typing import Any

import pytest
from sqlalchemy import text

from libs.common.database.tables import match_overrides, matches
from services.gallery.people.routes import DEFAULT_PHOTOS_EACH
from tests.gallery.lists.test_list_queries import an_event_with_many_photos, explained
from tests.gallery.world import World
from tests.support.people import Person
from tests.support.statements import statements

BOX = {"Left": 0.125, "Top": 0.25, "Width": 0.5, "Height": 0.375}


async def found(world: World, guest: Person, event_id: int, *similarities: float) -> list[int]:
    """Photos in which the guest was found, one for each similarity."""
    selfie_id = await world.selfie(guest)
    photo_ids = []
    for similarity in similarities:
        photo_ids.append(await world.photo(event_id))
        await world.execute(
            matches.insert().values(
                user_id=guest.id,
                event_id=event_id,
                photo_id=photo_ids[-1],
                selfie_id=selfie_id,
                face_id=await world.face(photo_ids[-1], event_id),
                similarity=similarity,
            )
        )
    return photo_ids


async def say(world: World, guest: Person, event_id: int, photo_id: int, verdict: str) -> None:
    await world.execute(
        match_overrides.insert().values(
            user_id=guest.id, event_id=event_id, photo_id=photo_id, verdict=verdict
        )
    )


async def groups(world: World, event_id: int, query: str = "") -> Any:
    admin = await world.admin()
    path = f"/api/admin/events/{event_id}/face-groups{query}"
    answer = await world.client.get(path, headers=admin.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def faces(world: World, event_id: int, user_id: int, query: str = "") -> Any:
    admin = await world.admin()
    path = f"/api/admin/events/{event_id}/users/{user_id}/group-faces{query}"
    return await world.client.get(path, headers=admin.headers)


async def test_each_guest_has_a_group_of_their_photos_the_best_first(world: World) -> None:
    event_id = await world.event(code="GALA")
    some, many, none = [await world.person(joined=event_id) for _ in range(3)]
    (only,) = await found(world, some, event_id, 99.126)
    low, high = await found(world, many, event_id, 86.0, 97.0)
    elsewhere = await world.event()
    await found(world, await world.person(joined=elsewhere), elsewhere, 98.0)
    answer = await groups(world, event_id)
    assert set(answer) == {"event_id", "event_name", "groups", "samples"}
    assert (answer["event_id"], answer["event_name"]) == (event_id, "Event GALA")
    assert str(none.id) not in answer["groups"]
    assert list(answer["groups"]) == [str(many.id), str(some.id)]
    assert answer["groups"] == {
        str(many.id): {
            "count": 2,
            "photos": [{"photo_id": high, "score": 97.0}, {"photo_id": low, "score": 86.0}],
            "best_score": 97.0,
        },
        str(some.id): {
            "count": 1,
            "photos": [{"photo_id": only, "score": 99.13}],
            "best_score": 99.13,
        },
    }


async def test_a_group_holds_what_the_guest_sees_as_far_as_a_face_was_found(world: World) -> None:
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    sure, nearly, denied, confirmed = await found(world, guest, event_id, 95, 80, 96, 78)
    await say(world, guest, event_id, denied, "not_me")
    await say(world, guest, event_id, confirmed, "added")
    await say(world, guest, event_id, await world.photo(event_id), "added")
    group = (await groups(world, event_id))["groups"][str(guest.id)]
    assert [photo["photo_id"] for photo in group["photos"]] == [sure, confirmed]
    answer = (await faces(world, event_id, guest.id)).json()
    assert [one["photo_id"] for one in answer["results"]] == [sure, confirmed]
    assert nearly not in [sure, confirmed]


async def test_of_a_large_group_the_best_are_listed_and_all_are_counted(world: World) -> None:
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    worst, best, middle = await found(world, guest, event_id, 86, 98, 92)
    answer = await groups(world, event_id, "?limit=2")
    group = answer["groups"][str(guest.id)]
    assert (group["count"], group["best_score"]) == (3, 98.0)
    assert [photo["photo_id"] for photo in group["photos"]] == [best, middle]
    assert worst not in [photo["photo_id"] for photo in group["photos"]]


async def test_there_are_samples_to_look_at(world: World) -> None:
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    photo_ids = await found(world, guest, event_id, 95, 94, 93, 92)
    samples = (await groups(world, event_id))["samples"][str(guest.id)]
    assert [sample["photo_id"] for sample in samples] == photo_ids[:3]
    assert set(samples[0]) == {"photo_id", "score", "url", "thumbnail_url", "box"}
    assert samples[0]["box"] == BOX
    assert samples[0]["url"].startswith(f"/api/media/events/{event_id}/photos/")


async def test_a_guests_faces_come_by_falling_similarity_one_of_each_photo(world: World) -> None:
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    low, high = await found(world, guest, event_id, 86.0, 97.0)
    second_selfie = await world.selfie(guest)
    await world.match(guest, event_id, [low], second_selfie, await world.face(low, event_id, 1))
    answer = await faces(world, event_id, guest.id)
    assert answer.json() == {
        "event_id": event_id,
        "user_id": guest.id,
        "count": 2,
        "results": [
            {"photo_id": high, "similarity": 97.0, "box": BOX},
            {"photo_id": low, "similarity": 95.0, "box": BOX},
        ],
    }
    first = (await faces(world, event_id, guest.id, "?limit=1")).json()
    assert [one["photo_id"] for one in first["results"]] == [high]


async def test_an_event_or_guest_that_is_not_there_is_not_found(world: World) -> None:
    event_id = await world.event()
    outsider = await world.person(joined=await world.event())
    for event, user, detail in [
        (event_id + 100, outsider.id, "Event not found"),
        (event_id, outsider.id, "Guest not found"),
    ]:
        answer = await faces(world, event, user)
        assert (answer.status_code, answer.json()) == (404, {"detail": detail})
    admin = await world.admin()
    path = f"/api/admin/events/{event_id + 100}/face-groups"
    assert (await world.client.get(path, headers=admin.headers)).status_code == 404
    path = f"/api/admin/events/{event_id}/face-groups?limit=0"
    assert (await world.client.get(path, headers=admin.headers)).status_code == 422


@pytest.mark.parametrize("path", ["face-groups", "users/{user_id}/group-faces"])
async def test_groups_are_made_of_the_guests_matches_and_of_no_other_events(
    world: World, path: str
) -> None:
    await an_event_with_many_photos(world, matched=500)
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    await found(world, guest, event_id, *[95.0] * (DEFAULT_PHOTOS_EACH + 1))
    async with world.database.read() as connection:
        await connection.execute(text("VACUUM ANALYZE matches, memberships, match_overrides"))
    path = f"/api/admin/events/{event_id}/{path.format(user_id=guest.id)}"
    with statements(world.services_database) as seen:
        answer = await world.client.get(path, headers=(await world.admin()).headers)
    assert answer.status_code == 200, answer.text
    (grouping,) = [one for one in seen if "max(shown.similarity)" in one[0]]
    assert "faces" not in grouping[0]
    plan = await explained(world, *grouping)
    assert "Index Only Scan using matches_guest_idx" in plan, plan
    assert "Seq Scan on matches" not in plan, plan
    if "groups" in answer.json():
        group = answer.json()["groups"][str(guest.id)]
        assert (len(group["photos"]), group["count"]) == (
            DEFAULT_PHOTOS_EACH,
            DEFAULT_PHOTOS_EACH + 1,
        )

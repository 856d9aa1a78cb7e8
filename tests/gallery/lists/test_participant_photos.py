import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from libs.common.messaging.messages import PhotoMatched
from libs.common.storage.keys import guest_copy_key, rendition_key
from libs.common.web.signed_urls import SignedUrls
from tests.gallery.world import NOON, World
from tests.support.people import KEYS, Person
from tests.support.polling import eventually
from tests.support.rows import NEXT_MONTH
from tests.support.statements import statements

PHOTO_KEYS = {
    "id",
    "filename",
    "original_filename",
    "file_path",
    "content_type",
    "photo_type",
    "user_id",
    "photographer_id",
    "uploaded_at",
    "event_id",
    "width",
    "height",
    "taken_at",
    "taken_at_offset",
    "url",
    "thumbnail_url",
    "preview_url",
    "placeholder",
    "processing_status",
}


async def ids(world: World, person: Person, path: str) -> list[int]:
    answer = await world.client.get(path, headers=person.headers)
    assert answer.status_code == 200, answer.text
    return [photo["id"] for photo in answer.json()]


async def pages(world: World, person: Person, path: str, limit: int) -> list[list[int]]:
    """Follow the Link header to the end."""
    found: list[list[int]] = []
    url: str | None = f"{path}?limit={limit}&cb=123"
    while url is not None:
        answer = await world.client.get(url, headers=person.headers)
        found.append([photo["id"] for photo in answer.json()])
        url = answer.links.get("next", {}).get("url")
    return found


async def guest_with_matches(
    world: World, event_id: int, photo_ids: list[int]
) -> tuple[Person, int]:
    guest = await world.person(joined=event_id)
    selfie_id = await world.selfie(guest)
    await world.match(guest, event_id, photo_ids, selfie_id)
    return guest, selfie_id


async def test_a_guest_sees_the_photos_they_are_in_as_the_contract_says(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer, code="WEDDING")
    photo_id = await world.photo(event_id, photographer=photographer)
    await world.photo(event_id)
    guest, _ = await guest_with_matches(world, event_id, [photo_id])
    answer = await world.client.get("/api/my-photos", headers=guest.headers)
    (photo,) = answer.json()
    assert set(photo) == PHOTO_KEYS | {"event_name", "has_face_match"}
    filename = photo["filename"]
    urls = SignedUrls(KEYS)
    expected = {
        "id": photo_id,
        "file_path": None,
        "photo_type": "uploaded",
        "user_id": None,
        "photographer_id": photographer.id,
        "uploaded_at": NOON.isoformat(),
        "event_id": event_id,
        "event_name": "Event WEDDING",
        "has_face_match": True,
        "url": urls.sign(guest_copy_key(event_id, filename), NEXT_MONTH),
        "thumbnail_url": urls.sign(rendition_key(event_id, filename, "thumbnail"), NEXT_MONTH),
        "preview_url": urls.sign(rendition_key(event_id, filename, "preview"), NEXT_MONTH),
        "processing_status": "done",
    }
    assert {key: photo[key] for key in expected} == expected


async def test_all_photos_tell_which_ones_show_the_guest(world: World) -> None:
    event_id = await world.event()
    first, second = [await world.photo(event_id) for _ in range(2)]
    guest, _ = await guest_with_matches(world, event_id, [first])
    answer = await world.client.get("/api/all-photos", headers=guest.headers)
    assert {photo["id"]: photo["has_face_match"] for photo in answer.json()} == {
        first: True,
        second: False,
    }


async def test_without_a_selection_everything_not_hidden_is_general(world: World) -> None:
    event_id = await world.event()
    undecided = await world.photo(event_id)
    await world.photo(event_id, show_in_general=False)
    guest = await world.person(joined=event_id)
    assert await ids(world, guest, "/api/all-photos") == [undecided]


async def test_with_a_selection_only_that_is_general(world: World) -> None:
    event_id, elsewhere = await world.event(), await world.event()
    await world.photo(event_id)
    await world.photo(event_id, show_in_general=False)
    shown = await world.photo(event_id, show_in_general=True)
    undecided_elsewhere = await world.photo(elsewhere)
    guest = await world.person(joined=event_id)
    await world.join(guest.id, elsewhere)
    assert await ids(world, guest, "/api/all-photos") == [shown]
    path = f"/api/user/events/{elsewhere}/all-photos"
    assert await ids(world, guest, path) == [undecided_elsewhere]


async def test_hidden_photos_still_show_in_ones_own(world: World) -> None:
    event_id = await world.event()
    hidden = await world.photo(event_id, show_in_general=False)
    guest, _ = await guest_with_matches(world, event_id, [hidden])
    assert await ids(world, guest, "/api/my-photos") == [hidden]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
async def test_pages_hold_every_photo_once_also_when_many_came_at_the_same_time(
    world: World, limit: int
) -> None:
    event_id = await world.event()
    same_time = [await world.photo(event_id) for _ in range(4)]
    newest = await world.photo(event_id, uploaded_at=NOON + timedelta(microseconds=1))
    oldest = await world.photo(event_id, uploaded_at=NOON - timedelta(days=1))
    expected = [newest, *reversed(same_time), oldest]
    guest, _ = await guest_with_matches(world, event_id, expected)
    for path in ("/api/my-photos", "/api/all-photos"):
        found = await pages(world, guest, path, limit)
        assert [photo_id for page in found for photo_id in page] == expected
        assert all(len(page) == limit for page in found[:-1])
        assert found[-1]


async def test_pages_of_a_guest_with_many_matches_walk_the_events_index(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gallery.lists.repository.FEW_IDS", 2)
    event_id, elsewhere = await world.event(), await world.event()
    photo_ids = [await world.photo(event_id) for _ in range(6)]
    await world.photo(elsewhere)
    guest, _ = await guest_with_matches(world, event_id, photo_ids[:5])
    found = await pages(world, guest, "/api/my-photos", 2)
    assert found == [[photo_ids[4], photo_ids[3]], [photo_ids[2], photo_ids[1]], [photo_ids[0]]]


async def test_without_a_limit_the_list_is_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gallery.lists.repository.CHUNK", 2)
    event_id = await world.event()
    photo_ids = [await world.photo(event_id) for _ in range(5)]
    guest = await world.person(joined=event_id)
    answer = await world.client.get("/api/all-photos?cb=1", headers=guest.headers)
    assert [photo["id"] for photo in answer.json()] == photo_ids[::-1]
    assert "link" not in answer.headers


async def test_many_who_ask_at_the_same_time_have_a_list_read_once(world: World) -> None:
    event_id = await world.event()
    photo_ids = [await world.photo(event_id) for _ in range(3)]
    guest = await world.person(joined=event_id)
    with statements(world.services_database) as seen:
        answers = await asyncio.gather(
            *(world.client.get("/api/all-photos", headers=guest.headers) for _ in range(8))
        )
    assert {answer.content for answer in answers} == {answers[0].content}
    assert len(answers[0].json()) == len(photo_ids)
    assert len([one for one, _ in seen if "ORDER BY photos.uploaded_at" in one]) == 1


@pytest.mark.parametrize(
    ("query", "status"), [("limit=0", 422), ("limit=x", 422), ("cursor=made-up", 400)]
)
async def test_a_page_that_cannot_be_is_refused(world: World, query: str, status: int) -> None:
    guest = await world.person(joined=await world.event())
    answer = await world.client.get(f"/api/my-photos?{query}", headers=guest.headers)
    assert answer.status_code == status


async def test_guests_without_an_event_find_no_list(world: World) -> None:
    guest = await world.person()
    for path in ("/api/my-photos", "/api/all-photos", "/api/user/event-expiration"):
        answer = await world.client.get(path, headers=guest.headers)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Event not found"})


@pytest.mark.parametrize("path", ["photos", "all-photos"])
async def test_other_events_lists_are_forbidden_also_when_somebody_else_has_them_cached(
    world: World, path: str
) -> None:
    event_id = await world.event()
    await world.photo(event_id)
    insider = await world.person(joined=event_id)
    outsider = await world.person(joined=await world.event())
    url = f"/api/user/events/{event_id}/{path}"
    assert (await world.client.get(url, headers=insider.headers)).status_code == 200
    assert (await world.client.get(url, headers=outsider.headers)).status_code == 403
    url = f"/api/user/events/{event_id + 100}/{path}"
    assert (await world.client.get(url, headers=insider.headers)).status_code == 403


async def test_the_main_event_is_the_first_joined(world: World) -> None:
    first, second = await world.event(), await world.event()
    guest = await world.person(joined=second)
    await world.join(guest.id, first)
    photo_id = await world.photo(second)
    await world.photo(first)
    assert await ids(world, guest, "/api/all-photos") == [photo_id]
    answer = await world.client.get("/api/user/events", headers=guest.headers)
    assert [event["id"] for event in answer.json()] == [second, first]
    assert set(answer.json()[0]) == {
        "id",
        "name",
        "event_code",
        "date",
        "joined_at",
        "expires_at",
        "time_zone",
    }


async def test_what_is_left_of_the_main_event_is_told(world: World) -> None:
    event_id = await world.event()
    await world.photo(event_id)
    guest = await world.person(joined=event_id)
    answer = (await world.client.get("/api/user/event-expiration", headers=guest.headers)).json()
    assert (answer["event_id"], answer["photos_count"]) == (event_id, 1)
    assert answer["expires_at"] == NEXT_MONTH.isoformat()
    assert 29 * 86400 < answer["seconds_remaining"] <= 30 * 86400


async def test_an_unchanged_list_is_not_sent_again(world: World) -> None:
    event_id = await world.event()
    photo_ids = [await world.photo(event_id) for _ in range(3)]
    guest = await world.person(joined=event_id)
    url = "/api/all-photos?limit=2"
    first = await world.client.get(url, headers=guest.headers)
    assert first.headers["cache-control"] == "private, no-cache"
    for known in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        again = await world.client.get(url, headers=guest.headers | {"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert again.links == first.links
    other = await world.client.get(url, headers=guest.headers | {"If-None-Match": '"x"'})
    assert [photo["id"] for photo in other.json()] == photo_ids[:0:-1]


async def test_a_match_shows_at_once_though_the_list_was_cached(world: World) -> None:
    event_id = await world.event()
    first, second = [await world.photo(event_id) for _ in range(2)]
    guest, selfie_id = await guest_with_matches(world, event_id, [first])
    assert await ids(world, guest, "/api/my-photos") == [first]
    await world.match(guest, event_id, [second], selfie_id)
    assert await ids(world, guest, "/api/my-photos") == [first], "the cache was not in use"
    await world.publish(PhotoMatched(event_id=event_id, photo_id=second, user_ids=(guest.id,)))

    async def both() -> bool:
        return await ids(world, guest, "/api/my-photos") == [second, first]

    await eventually(both)


async def test_a_photos_faces_are_told_with_which_is_the_callers(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    photo_id = await world.photo(event_id)
    faces = [await world.face(photo_id, event_id, position) for position in range(2)]
    guest = await world.person(joined=event_id)
    selfie_id = await world.selfie(guest)
    await world.match(guest, event_id, [photo_id], selfie_id, faces[1])
    box = {"top": 0.25, "left": 0.125, "width": 0.5, "height": 0.375, "confidence": 0.75}

    async def asked(person: Person) -> httpx.Response:
        return await world.client.get(f"/api/photo/{photo_id}/faces", headers=person.headers)

    assert (await asked(guest)).json() == {
        "image_width": 4000,
        "image_height": 3000,
        "boxes": [box | {"matched": False}, box | {"matched": True}],
    }
    boxes: list[dict[str, Any]] = (await asked(photographer)).json()["boxes"]
    assert [one["matched"] for one in boxes] == [False, False]
    assert (await asked(await world.person(joined=await world.event()))).status_code == 404
    assert (await asked(await world.photographer())).status_code == 404

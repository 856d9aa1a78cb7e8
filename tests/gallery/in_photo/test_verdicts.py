"""Guests say "not me" and "it's me", and are asked about the photos they may be in."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, update

from libs.common.database.tables import events, match_overrides, matches, photos, selfies
from libs.common.messaging.messages import MatchChanged
from libs.common.storage.keys import guest_copy_key
from libs.common.web.signed_urls import SignedUrls
from tests.gallery.lists.test_participant_photos import PHOTO_KEYS, ids, pages
from tests.gallery.world import World
from tests.support.locks import someone_waits
from tests.support.people import KEYS, Person
from tests.support.polling import eventually
from tests.support.rows import NEXT_MONTH

SURE, UNCERTAIN = 95.0, 80.0


class Guest:
    """A guest with a selfie in one event, and photos they are or may be in."""

    def __init__(self, world: World, person: Person, event_id: int, selfie_id: int) -> None:
        self.world, self.person, self.event_id = world, person, event_id
        self.selfie_id = selfie_id

    async def photo(self, similarity: float | None, **values: Any) -> int:
        photo_id = await self.world.photo(self.event_id, **values)
        if similarity is not None:
            await self.match(photo_id, similarity)
        return photo_id

    async def match(
        self, photo_id: int, similarity: float, *, selfie_id: int | None = None, position: int = 0
    ) -> None:
        face_id = await self.world.face(photo_id, self.event_id, position)
        await self.world.execute(
            matches.insert().values(
                user_id=self.person.id,
                event_id=self.event_id,
                photo_id=photo_id,
                selfie_id=selfie_id or self.selfie_id,
                face_id=face_id,
                similarity=similarity,
            )
        )

    async def say(self, photo_id: int, word: str, method: str = "POST") -> httpx.Response:
        path = f"/api/my-photos/{photo_id}/{word}"
        return await self.world.client.request(method, path, headers=self.person.headers)

    async def photos(self) -> list[int]:
        self.forget()
        return await ids(self.world, self.person, "/api/my-photos")

    async def uncertain(self) -> list[int]:
        self.forget()
        return await ids(self.world, self.person, "/api/my-uncertain-photos")

    def forget(self) -> None:
        """No relay runs here: what the messages would evict is forgotten by hand."""
        self.world.app.state.gallery.cache.clear()

    async def added_by(self, somebody: Person, photo_id: int) -> None:
        await self.world.execute(
            match_overrides.insert().values(
                user_id=self.person.id,
                event_id=self.event_id,
                photo_id=photo_id,
                verdict="added",
                added_by=somebody.id,
            )
        )


@pytest.fixture
async def guest(world: World) -> Guest:
    event_id = await world.event(await world.photographer())
    person = await world.person(joined=event_id)
    return Guest(world, person, event_id, await world.selfie(person))


async def test_a_photo_that_a_guest_denies_leaves_their_list_and_comes_back_when_undone(
    world: World, guest: Guest
) -> None:
    photo_id = await guest.photo(SURE)
    other = await guest.photo(SURE)
    for _ in range(2):
        answer = await guest.say(photo_id, "not-me")
        assert (answer.status_code, answer.json()["photo_id"]) == (200, photo_id)
        assert await guest.photos() == [other]
    all_photos = await world.client.get("/api/all-photos", headers=guest.person.headers)
    marks = {photo["id"]: photo["has_face_match"] for photo in all_photos.json()}
    assert marks == {photo_id: False, other: True}
    profile = await world.client.get("/api/profile", headers=guest.person.headers)
    assert profile.json()["photos_with_face"] == 1
    for _ in range(2):
        assert (await guest.say(photo_id, "not-me", "DELETE")).status_code == 200
        assert await guest.photos() == [other, photo_id]


@pytest.mark.parametrize("similarity", [UNCERTAIN, None])
async def test_of_a_photo_that_they_cannot_see_a_guest_says_nothing(
    world: World, guest: Guest, similarity: float | None
) -> None:
    """Who is nearly like a face of a hidden photo would otherwise come to see it by their word."""
    hidden = await guest.photo(similarity, show_in_general=False)
    for word, method in [("its-me", "POST"), ("not-me", "POST"), ("not-me", "DELETE")]:
        answer = await guest.say(hidden, word, method)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Photo not found"})
    faces = await world.client.get(f"/api/photo/{hidden}/faces", headers=guest.person.headers)
    assert (faces.status_code, faces.json()) == (404, {"detail": "Photo not found"})
    assert await guest.photos() == []


async def test_a_hidden_photo_that_a_guest_denied_is_gone_for_them_and_can_be_taken_back(
    world: World, guest: Guest
) -> None:
    photo_id = await guest.photo(SURE, show_in_general=False)
    faces = f"/api/photo/{photo_id}/faces"
    assert (await world.client.get(faces, headers=guest.person.headers)).status_code == 200
    assert (await guest.say(photo_id, "not-me")).status_code == 200
    assert (await world.client.get(faces, headers=guest.person.headers)).status_code == 404
    assert (await guest.say(photo_id, "not-me", "DELETE")).status_code == 200
    assert await guest.photos() == [photo_id]


async def test_a_word_is_told_once_and_only_when_it_changes_something(
    world: World, guest: Guest
) -> None:
    photo_id = await guest.photo(SURE)
    told = [
        (
            "match.changed",
            {
                "version": 1,
                "event_id": guest.event_id,
                "photo_id": photo_id,
                "user_ids": [guest.person.id],
            },
        )
    ]
    for word, method in [("not-me", "POST"), ("not-me", "DELETE"), ("its-me", "POST")]:
        await guest.say(photo_id, word, method)
        assert await world.sent() == told, (word, method)
        await guest.say(photo_id, word, method)
        assert await world.sent() == [], (word, method)


async def test_the_list_changes_on_every_replica_though_it_was_cached(
    world: World, guest: Guest
) -> None:
    photo_id = await guest.photo(SURE)
    assert await ids(world, guest.person, "/api/my-photos") == [photo_id]
    await guest.say(photo_id, "not-me")
    assert await ids(world, guest.person, "/api/my-photos") == [photo_id], "the cache was not used"
    ((_, body),) = await world.sent()
    await world.publish(MatchChanged(**body))

    async def gone() -> bool:
        return await ids(world, guest.person, "/api/my-photos") == []

    await eventually(gone)


async def test_a_denied_photo_stays_away_whatever_matches_come_later(
    world: World, guest: Guest
) -> None:
    photo_id = await guest.photo(None)
    await guest.say(photo_id, "not-me")
    await guest.match(photo_id, SURE)
    assert await guest.photos() == []
    await world.execute(delete(selfies).where(selfies.c.id == guest.selfie_id))
    replaced_by = await world.selfie(guest.person)
    await guest.match(photo_id, 99.0, selfie_id=replaced_by, position=1)
    assert await guest.photos() == []
    assert await guest.uncertain() == []
    await guest.say(photo_id, "not-me", "DELETE")
    assert await guest.photos() == [photo_id]


async def test_denying_goes_for_uncertain_and_for_added_photos_and_undoing_brings_back_both(
    world: World, guest: Guest
) -> None:
    photographer = await world.photographer()
    uncertain, added = await guest.photo(UNCERTAIN), await guest.photo(None)
    await guest.added_by(photographer, added)
    assert (await guest.photos(), await guest.uncertain()) == ([added], [uncertain])
    for photo_id in (uncertain, added):
        assert (await guest.say(photo_id, "not-me")).status_code == 200
    assert (await guest.photos(), await guest.uncertain()) == ([], [])
    for photo_id in (uncertain, added):
        assert (await guest.say(photo_id, "not-me", "DELETE")).status_code == 200
    assert (await guest.photos(), await guest.uncertain()) == ([added], [uncertain])
    assert {row["added_by"] for row in await world.rows(match_overrides)} == {photographer.id}


async def test_undoing_a_denial_brings_back_ones_own_confirmation(guest: Guest) -> None:
    photo_id = await guest.photo(UNCERTAIN)
    await guest.say(photo_id, "its-me")
    await guest.say(photo_id, "not-me")
    assert await guest.photos() == []
    await guest.say(photo_id, "not-me", "DELETE")
    assert await guest.photos() == [photo_id]


async def test_a_confirmed_photo_is_the_guests_and_no_more_in_question(guest: Guest) -> None:
    photo_id = await guest.photo(UNCERTAIN)
    for _ in range(2):
        answer = await guest.say(photo_id, "its-me")
        assert (answer.status_code, answer.json()["photo_id"]) == (200, photo_id)
        assert (await guest.photos(), await guest.uncertain()) == ([photo_id], [])
    await guest.say(photo_id, "not-me")
    assert (await guest.photos(), await guest.uncertain()) == ([], [])
    await guest.say(photo_id, "its-me")
    assert await guest.photos() == [photo_id]


async def test_only_a_photo_with_somebody_like_them_can_be_confirmed(guest: Guest) -> None:
    nobody, too_unlike = await guest.photo(None), await guest.photo(74.9)
    for photo_id in (nobody, too_unlike):
        answer = await guest.say(photo_id, "its-me")
        assert answer.status_code == 409
        assert "photographer" in answer.json()["detail"]
    assert await guest.photos() == []


async def test_photos_of_other_events_are_not_found(world: World, guest: Guest) -> None:
    elsewhere = await world.photo(await world.event())
    for photo_id in (elsewhere, elsewhere + 100):
        for word, method in [("not-me", "POST"), ("not-me", "DELETE"), ("its-me", "POST")]:
            answer = await guest.say(photo_id, word, method)
            assert (answer.status_code, answer.json()) == (404, {"detail": "Photo not found"})
    assert await world.rows(match_overrides) == []
    assert (await guest.say(0, "not-me")).status_code == 422


async def test_words_said_at_once_leave_one_of_them(world: World, guest: Guest) -> None:
    photo_id = await guest.photo(UNCERTAIN)
    words = [("not-me", "POST"), ("its-me", "POST"), ("not-me", "DELETE")] * 4
    answers = await asyncio.gather(*(guest.say(photo_id, *word) for word in words))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await world.rows(match_overrides)) <= 1


@pytest.mark.parametrize("word", ["not-me", "its-me"])
async def test_a_word_on_a_photo_that_is_being_deleted_finds_none(
    world: World, guest: Guest, word: str
) -> None:
    photo_id = await guest.photo(UNCERTAIN)
    async with world.database.engine.connect() as deleting:
        await deleting.execute(delete(photos).where(photos.c.id == photo_id))
        saying = asyncio.create_task(guest.say(photo_id, word))
        await eventually(lambda: someone_waits(world.database))
        await deleting.commit()
    assert (await saying).status_code == 404
    assert await world.rows(match_overrides) == []


async def test_uncertain_photos_come_with_the_face_in_question(world: World, guest: Guest) -> None:
    photo_id = await guest.photo(UNCERTAIN)
    answer = await world.client.get("/api/my-uncertain-photos", headers=guest.person.headers)
    (photo,) = answer.json()
    assert set(photo) == PHOTO_KEYS | {"event_name", "has_face_match", "similarity", "box"}
    expected = {
        "id": photo_id,
        "has_face_match": False,
        "similarity": 80.0,
        "box": {"left": 0.125, "top": 0.25, "width": 0.5, "height": 0.375},
        "url": SignedUrls(KEYS).sign(guest_copy_key(guest.event_id, photo["filename"]), NEXT_MONTH),
    }
    assert {key: photo[key] for key in expected} == expected


async def test_uncertain_is_what_no_selfie_is_sure_of_within_the_events_band(
    world: World, guest: Guest
) -> None:
    second_selfie = await world.selfie(guest.person)
    lowest, highest = await guest.photo(75.0), await guest.photo(84.9)
    await guest.photo(74.9)
    await guest.photo(85.0)
    sure_by_another = await guest.photo(UNCERTAIN)
    await guest.match(sure_by_another, SURE, selfie_id=second_selfie, position=1)
    twice = await guest.photo(UNCERTAIN)
    await guest.match(twice, 78.0, selfie_id=second_selfie, position=1)
    await guest.photo(UNCERTAIN, show_in_general=False)
    assert await guest.uncertain() == [twice, highest, lowest]
    await world.execute(update(events).values(match_threshold=79))
    assert await guest.uncertain() == [await _photo_at(world, 74.9), lowest]


async def _photo_at(world: World, similarity: float) -> int:
    rows = await world.rows(matches)
    found: int = next(r["photo_id"] for r in rows if abs(r["similarity"] - similarity) < 0.01)
    return found


async def test_uncertain_photos_are_paged_and_of_one_event(world: World, guest: Guest) -> None:
    photo_ids = [await guest.photo(UNCERTAIN) for _ in range(5)]
    main, named = "/api/my-uncertain-photos", f"/api/user/events/{guest.event_id}/uncertain-photos"
    for path in (main, named):
        found = await pages(world, guest.person, path, 2)
        assert found == [photo_ids[:2:-1], photo_ids[2:0:-1], photo_ids[:1]]
    elsewhere = await world.event()
    outside = await world.client.get(
        f"/api/user/events/{elsewhere}/uncertain-photos", headers=guest.person.headers
    )
    assert outside.status_code == 403
    await world.join(guest.person.id, elsewhere)
    assert await ids(world, guest.person, f"/api/user/events/{elsewhere}/uncertain-photos") == []
    without_event = await world.person()
    answer = await world.client.get(main, headers=without_event.headers)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Event not found"})


async def test_of_a_photos_faces_the_one_most_like_the_guest_is_theirs(
    world: World, guest: Guest
) -> None:
    second_selfie = await world.selfie(guest.person)
    photo_id = await guest.photo(UNCERTAIN)

    async def matched() -> list[bool]:
        path = f"/api/photo/{photo_id}/faces"
        answer = await world.client.get(path, headers=guest.person.headers)
        return [box["matched"] for box in answer.json()["boxes"]]

    assert await matched() == [False]
    await guest.say(photo_id, "its-me")
    assert await matched() == [True]
    await guest.match(photo_id, SURE, selfie_id=second_selfie, position=1)
    assert await matched() == [False, True]
    await guest.say(photo_id, "not-me")
    assert await matched() == [False, False]

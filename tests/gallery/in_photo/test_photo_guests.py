"""Photographers look who is in a photo, and add guests by hand."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from libs.common.database.tables import match_overrides, matches
from libs.common.messaging.messages import MatchChanged
from tests.gallery.lists.test_participant_photos import ids
from tests.gallery.streams import open_stream
from tests.gallery.world import World
from tests.support.http_server import serving
from tests.support.people import Person
from tests.support.polling import PATIENCE_SECONDS

BOX = {"left": 0.125, "top": 0.25, "width": 0.5, "height": 0.375}


@dataclass(frozen=True)
class Wedding:
    """An event with a photo, its photographer and a guest."""

    world: World
    photographer: Person
    event_id: int
    photo_id: int
    guest: Person

    async def call(
        self,
        method: str,
        user_id: int | None = None,
        *,
        person: Person | None = None,
        photo_id: int | None = None,
        body: Any = None,
    ) -> httpx.Response:
        path = f"/api/photographer/events/{self.event_id}/photos/{photo_id or self.photo_id}/guests"
        return await self.world.client.request(
            method,
            path if user_id is None else f"{path}/{user_id}",
            json=body,
            headers=(person or self.photographer).headers,
        )

    async def add(self, user_id: int, **values: Any) -> httpx.Response:
        return await self.call("POST", body={"user_id": user_id}, **values)

    async def names(self) -> list[tuple[Any, ...]]:
        answer = await self.call("GET")
        assert answer.status_code == 200
        keys = ("username", "similarity", "added_by_hand", "confirmed_by_guest")
        return [tuple(one[key] for key in keys) for one in answer.json()]

    async def match(self, person: Person, similarity: float, position: int = 0) -> None:
        face_id = await self.world.face(self.photo_id, self.event_id, position)
        await self.world.execute(
            matches.insert().values(
                user_id=person.id,
                event_id=self.event_id,
                photo_id=self.photo_id,
                selfie_id=await self.world.selfie(person),
                face_id=face_id,
                similarity=similarity,
            )
        )

    async def say(self, word: str, method: str = "POST") -> httpx.Response:
        path = f"/api/my-photos/{self.photo_id}/{word}"
        return await self.world.client.request(method, path, headers=self.guest.headers)

    async def own(self) -> list[int]:
        self.world.app.state.gallery.cache.clear()
        return await ids(self.world, self.guest, "/api/my-photos")


@pytest.fixture
async def wedding(world: World) -> Wedding:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    photo_id = await world.photo(event_id)
    guest = await world.person(joined=event_id)
    return Wedding(world, photographer, event_id, photo_id, guest)


async def test_a_guest_added_by_hand_has_the_photo_until_it_is_taken_back(wedding: Wedding) -> None:
    for _ in range(2):
        answer = await wedding.add(wedding.guest.id)
        assert answer.status_code == 200
        assert answer.json()["user_id"] == wedding.guest.id
        assert await wedding.names() == [(wedding.guest.name, None, True, False)]
        assert await wedding.own() == [wedding.photo_id]
    sent = await wedding.world.sent()
    assert [(topic, body["photo_id"], body["user_ids"]) for topic, body in sent] == [
        ("match.changed", wedding.photo_id, [wedding.guest.id])
    ]
    answer = await wedding.call("DELETE", wedding.guest.id)
    assert answer.status_code == 200
    assert (await wedding.names(), await wedding.own()) == ([], [])
    assert len(await wedding.world.sent()) == 1
    assert (await wedding.call("DELETE", wedding.guest.id)).status_code == 404
    assert await wedding.world.sent() == []


async def test_everybody_in_a_photo_is_told_with_how_alike_they_are_and_where(
    wedding: Wedding,
) -> None:
    world, event_id = wedding.world, wedding.event_id
    alike, nearly, denying, added = [await world.person(joined=event_id) for _ in range(4)]
    found = [(alike, 95.123), (nearly, 80.0), (denying, 97.0)]
    for position, (person, similarity) in enumerate(found):
        await wedding.match(person, similarity, position)
    path = f"/api/my-photos/{wedding.photo_id}"
    await world.client.post(f"{path}/not-me", headers=denying.headers)
    await wedding.add(added.id)
    assert await wedding.names() == [
        (alike.name, 95.12, False, False),
        (added.name, None, True, False),
    ]
    await wedding.add(nearly.id)
    expected = [(alike.name, 95.12, False, False), (nearly.name, 80.0, True, False)]
    assert (await wedding.names())[:2] == expected
    await world.client.post(f"{path}/its-me", headers=nearly.headers)
    assert (await wedding.names())[1] == (nearly.name, 80.0, False, True)
    answer = await wedding.call("GET")
    boxes = {one["username"]: one["box"] for one in answer.json()}
    assert boxes == {alike.name: BOX, nearly.name: BOX, added.name: None}


async def test_a_guests_not_me_is_their_word_against_the_photographers(wedding: Wedding) -> None:
    await wedding.say("not-me")
    answer = await wedding.add(wedding.guest.id)
    assert answer.status_code == 409
    assert "guest" in answer.json()["detail"]
    assert await wedding.own() == []
    await wedding.say("not-me", "DELETE")
    assert (await wedding.add(wedding.guest.id)).status_code == 200


async def test_what_the_guest_confirmed_is_not_the_photographers_to_take_back(
    wedding: Wedding,
) -> None:
    await wedding.match(wedding.guest, 80.0)
    await wedding.say("its-me")
    assert (await wedding.add(wedding.guest.id)).status_code == 200
    assert (await wedding.call("DELETE", wedding.guest.id)).status_code == 409
    assert await wedding.own() == [wedding.photo_id]


async def test_what_was_taken_back_under_a_denial_does_not_return_with_its_end(
    wedding: Wedding,
) -> None:
    await wedding.add(wedding.guest.id)
    await wedding.say("not-me")
    assert (await wedding.call("DELETE", wedding.guest.id)).status_code == 200
    await wedding.say("not-me", "DELETE")
    assert await wedding.own() == []


async def test_a_match_cannot_be_taken_out_by_hand(wedding: Wedding) -> None:
    await wedding.match(wedding.guest, 95.0)
    assert (await wedding.call("DELETE", wedding.guest.id)).status_code == 404
    assert await wedding.own() == [wedding.photo_id]


async def test_only_guests_and_photos_of_the_photographers_own_event_are_known(
    wedding: Wedding,
) -> None:
    world = wedding.world
    elsewhere = await world.event()
    outsider = await world.person(joined=elsewhere)
    for user_id in (outsider.id, wedding.photographer.id, outsider.id + 1000):
        answer = await wedding.add(user_id)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Guest not found"})
    other_photo = await world.photo(elsewhere)
    other_photographer = await world.photographer()
    unknown: dict[str, dict[str, Any]] = {
        "Photo not found": {"photo_id": other_photo},
        "Event not found": {"person": other_photographer},
    }
    for detail, values in unknown.items():
        for answer in (
            await wedding.call("GET", **values),
            await wedding.add(wedding.guest.id, **values),
            await wedding.call("DELETE", wedding.guest.id, **values),
        ):
            assert (answer.status_code, answer.json()) == (404, {"detail": detail})
    assert await world.rows(match_overrides) == []
    for body in ({}, {"user_id": "ann"}, {"user_id": 0}):
        assert (await wedding.call("POST", body=body)).status_code == 422


async def test_an_admin_may_do_the_same(wedding: Wedding) -> None:
    admin = await wedding.world.admin()
    assert (await wedding.add(wedding.guest.id, person=admin)).status_code == 200
    # The photographer takes back what anybody but the guest has added.
    assert (await wedding.call("DELETE", wedding.guest.id)).status_code == 200


async def test_the_guests_to_choose_from_are_told_without_their_addresses(
    wedding: Wedding,
) -> None:
    world = wedding.world
    await world.person(joined=await world.event())
    await world.selfie(wedding.guest)
    without_selfie = await world.person(joined=wedding.event_id)
    path = f"/api/photographer/events/{wedding.event_id}/guests"
    answer = await world.client.get(path, headers=wedding.photographer.headers)
    assert [set(one) for one in answer.json()] == [
        {"user_id", "username", "joined_at", "has_selfie", "photos"}
    ] * 2
    assert {one["user_id"]: one["has_selfie"] for one in answer.json()} == {
        wedding.guest.id: True,
        without_selfie.id: False,
    }
    other = await world.photographer()
    assert (await world.client.get(path, headers=other.headers)).status_code == 404


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(world.app) as url,
        httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client,
    ):
        yield client


async def test_the_guests_devices_are_told_and_others_are_not(
    wedding: Wedding, client: httpx.AsyncClient
) -> None:
    world, event_id = wedding.world, wedding.event_id
    other = await world.person(joined=event_id)
    async with (
        open_stream(client, event_id, wedding.guest.headers) as for_guest,
        open_stream(client, event_id, other.headers) as for_other,
    ):
        await wedding.add(wedding.guest.id)
        await wedding.add(other.id)
        for _, body in await world.sent():
            await world.publish(MatchChanged(**body))
        told = ("match.changed", {"photo_id": wedding.photo_id})
        assert await for_guest.wait_for(1) == [told]
        assert await for_other.wait_for(1) == [told]
        listed = await client.get("/api/my-photos", headers=wedding.guest.headers)
        assert [photo["id"] for photo in listed.json()] == [wedding.photo_id]
    assert (len(for_guest.events), len(for_other.events)) == (1, 1)

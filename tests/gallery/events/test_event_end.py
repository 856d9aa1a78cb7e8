"""From its end on an event is closed to its guests, by the database's clock, whatever is cached."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, update

from libs.common.database.tables import events
from services.gallery.gallery import Gallery
from tests.gallery.streams import open_stream
from tests.gallery.world import World
from tests.support.http_server import serving
from tests.support.people import Person
from tests.support.polling import PATIENCE_SECONDS, eventually

OVER = "This event has ended: its photos are not shown any more. Its photographer can prolong it."
ERASED = "This event has ended, and its photos and faces have been erased."
AN_HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)
GUESTS_ROUTES = [
    ("GET", "/api/my-photos"),
    ("GET", "/api/all-photos"),
    ("GET", "/api/my-uncertain-photos"),
    ("GET", "/api/user/events/{event}/photos"),
    ("GET", "/api/user/events/{event}/all-photos"),
    ("GET", "/api/user/events/{event}/uncertain-photos"),
    ("GET", "/api/photo/{photo}/faces"),
    ("POST", "/api/my-photos/{photo}/not-me"),
    ("DELETE", "/api/my-photos/{photo}/not-me"),
    ("POST", "/api/my-photos/{photo}/its-me"),
    ("GET", "/api/events/{event}/stream"),
]
RUNNERS_ROUTES = [
    ("GET", "/api/photographer/events/{event}/photos"),
    ("GET", "/api/photographer/events/{event}/progress"),
    ("GET", "/api/photographer/events/{event}/guests"),
    ("GET", "/api/photographer/events/{event}/photos/{photo}/guests"),
    ("GET", "/api/photographer/events/{event}/match-threshold"),
    ("GET", "/api/photo/{photo}/faces"),
]


class Party:
    """An event with a photographer, a guest and a photo that shows them."""

    def __init__(self, world: World, photographer: Person, guest: Person, event_id: int) -> None:
        self.world, self.photographer, self.guest = world, photographer, guest
        self.event_id, self.photo_id = event_id, 0

    async def call(self, method: str, path: str, person: Person, **values: Any) -> httpx.Response:
        url = path.format(event=self.event_id, photo=self.photo_id)
        return await self.world.client.request(method, url, headers=person.headers, **values)

    async def ends(self, **values: Any) -> None:
        end: Any = func.now() - timedelta(seconds=1)
        await self.world.execute(update(events).values({"expires_at": end} | values))
        gallery: Gallery = self.world.app.state.gallery
        gallery.ends.forget(self.event_id)  # a message says so, or a second's passing


@pytest.fixture
async def party(world: World) -> Party:
    photographer = await world.photographer()
    event_id = await world.event(photographer, code="PARTY123")
    party = Party(world, photographer, await world.person(joined=event_id), event_id)
    party.photo_id = await world.photo(event_id)
    await world.match(party.guest, event_id, [party.photo_id], await world.selfie(party.guest))
    return party


@pytest.mark.parametrize(("method", "path"), GUESTS_ROUTES)
async def test_a_guest_is_told_that_the_event_has_ended(
    party: Party, method: str, path: str
) -> None:
    if "stream" not in path:
        before = await party.call(method, path, party.guest)
        assert before.status_code == 200, before.text
    await party.ends()
    answer = await party.call(method, path, party.guest)
    assert (answer.status_code, answer.json()) == (410, {"detail": OVER})


@pytest.mark.parametrize(("method", "path"), RUNNERS_ROUTES)
async def test_who_runs_it_goes_on_until_it_is_erased(party: Party, method: str, path: str) -> None:
    admin = await party.world.admin()
    await party.ends()
    for person in (party.photographer, admin):
        assert (await party.call(method, path, person)).status_code == 200
    await party.ends(erasure_began_at=func.now())
    for person in (party.photographer, admin):
        answer = await party.call(method, path, person)
        assert (answer.status_code, answer.json()) == (410, {"detail": ERASED})


async def test_a_cached_list_ends_with_its_event_to_the_moment(party: Party) -> None:
    gallery: Gallery = party.world.app.state.gallery
    # A machine that does not answer within a second may within a minute.
    for seconds in (1, 8, 64):
        end: Any = func.clock_timestamp() + timedelta(seconds=seconds)
        await party.world.execute(update(events).values(expires_at=end))
        gallery.ends.forget(party.event_id)
        listed = await party.call("GET", "/api/my-photos", party.guest)
        if listed.status_code == 200:
            break
    assert listed.status_code == 200
    known = await gallery.ends.of(party.event_id)
    assert known is not None
    await eventually(lambda: gallery.ends.state(known).is_over)
    assert gallery.cache.figures().entries == 1
    assert (await party.call("GET", "/api/my-photos", party.guest)).status_code == 410


async def test_strangers_learn_nothing_of_an_event_that_has_ended(party: Party) -> None:
    stranger = await party.world.person(joined=await party.world.event())
    await party.ends()
    faces = await party.call("GET", "/api/photo/{photo}/faces", stranger)
    assert faces.status_code == 404
    photos = await party.call("GET", "/api/user/events/{event}/photos", stranger)
    assert photos.status_code == 403


async def test_nobody_joins_an_event_that_has_ended(party: Party) -> None:
    await party.ends()
    client, newcomer = party.world.client, await party.world.person()
    answer = await client.post(
        "/api/join-event", json={"event_code": "party 123"}, headers=newcomer.headers
    )
    assert (answer.status_code, answer.json()) == (410, {"detail": OVER})
    account = {"username": "zoe", "email": "zoe@example.org", "password": "Wintermond!7"}
    asked = {"user_data": account, "event_code": "PARTY123"}
    answer = await client.post("/api/register-invite", json=asked)
    assert (answer.status_code, answer.json()) == (410, {"detail": OVER})
    # Of a form, everything that is wrong is told at once.
    answer = await client.post("/api/register-with-event-code", json=asked)
    assert (answer.status_code, answer.json()["detail"]) == (400, "This event code is not valid.")
    check = await client.post("/api/check-event-code", json={"event_code": "PARTY123"})
    assert check.json() == {"valid": False}
    looked = await client.post("/api/look-up-event", json={"event_code": "PARTY123"})
    assert (looked.status_code, looked.json()) == (410, {"detail": OVER})


async def test_the_main_event_is_the_first_joined_that_is_open(party: Party) -> None:
    second = await party.world.event()
    await party.world.join(party.guest, second)
    await party.world.execute(
        update(events)
        .where(events.c.id == party.event_id)
        .values(expires_at=func.now() - timedelta(seconds=1))
    )
    assert (await party.call("GET", "/api/my-photos", party.guest)).json() == []
    me = (await party.call("GET", "/api/me", party.guest)).json()
    assert me["event_id"] == second
    left = (await party.call("GET", "/api/user/event-expiration", party.guest)).json()
    assert left["event_id"] == second
    listed = (await party.call("GET", "/api/user/events", party.guest)).json()
    assert [one["id"] for one in listed] == [party.event_id, second]


async def test_a_guest_whose_event_has_ended_can_still_look_at_their_account(party: Party) -> None:
    await party.ends()
    profile = (await party.call("GET", "/api/profile", party.guest)).json()
    assert (profile["total_photos"], profile["photos_with_face"]) == (0, 0)
    left = (await party.call("GET", "/api/user/event-expiration", party.guest)).json()
    assert left["seconds_remaining"] == 0
    status = (await party.call("GET", "/api/rematch-status", party.guest)).json()
    assert status == {"status": "idle"}
    assert (await party.call("DELETE", "/api/my-selfie", party.guest)).status_code == 200


async def test_a_prolonged_event_is_open_again(party: Party) -> None:
    await party.ends()
    for person in (party.photographer, await party.world.admin()):
        path = "/api/photographer/events/{event}/match-threshold"
        assert (await party.call("GET", path, person)).status_code == 200
    assert (await party.call("GET", "/api/my-photos", party.guest)).status_code == 410
    path = "/api/admin/events/{event}/reset-expiration"
    assert (await party.call("POST", path, party.photographer)).status_code == 200
    party.world.app.state.gallery.ends.forget(party.event_id)
    assert (await party.call("GET", "/api/my-photos", party.guest)).status_code == 200


async def test_an_erased_event_is_not_prolonged_or_changed(party: Party) -> None:
    await party.ends(erasure_began_at=func.now())
    path = "/api/admin/events/{event}/reset-expiration"
    for person in (party.photographer, await party.world.admin()):
        answer = await party.call("POST", path, person)
        assert (answer.status_code, answer.json()) == (410, {"detail": ERASED})
    changed = await party.call(
        "PUT",
        "/api/admin/events/{event}",
        await party.world.admin(),
        json={"date": "2099-01-01T00:00:00Z"},
    )
    assert changed.status_code == 410


async def test_nothing_is_matched_again_in_an_event_that_has_ended(party: Party) -> None:
    await party.ends()
    path = "/api/photographer/events/{event}/rematch"
    assert (await party.call("POST", path, party.photographer)).status_code == 410


async def test_addresses_of_an_event_that_has_ended_are_others_for_who_runs_it(
    party: Party,
) -> None:
    path = "/api/photographer/events/{event}/photos"
    (before,) = (await party.call("GET", path, party.photographer)).json()
    assert before["url"].startswith("/api/media/events/")
    await party.ends()
    (photo,) = (await party.call("GET", path, party.photographer)).json()
    assert photo["url"].startswith("/api/media/kept/events/")
    again = (await party.call("GET", path, party.photographer)).json()
    assert again == [photo]


async def test_open_streams_of_guests_end_with_the_event(party: Party) -> None:
    # After both have opened theirs, on a slow machine too.
    end: Any = func.clock_timestamp() + timedelta(seconds=8)
    await party.world.execute(update(events).values(expires_at=end))
    async with (
        serving(party.world.app) as url,
        httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client,
        open_stream(client, party.event_id, party.photographer.headers) as for_photographer,
        open_stream(client, party.event_id, party.guest.headers) as for_guest,
    ):
        await eventually(lambda: for_guest.has_ended)
        assert for_guest.events == [("expired", {})]
        assert not for_photographer.has_ended

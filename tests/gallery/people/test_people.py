"""People without a selfie: gallery and recognition together, on one database."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from libs.common.database.database import Database
from libs.common.database.tables import faces, match_overrides, photos
from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.bus.topology import findme_topology
from libs.common.resources import Resources
from libs.common.rights.counted_matches import ADDED, NOT_ME
from libs.common.storage.folder import FolderStore
from services.gallery.app import create_app
from services.gallery.settings import GallerySettings
from services.recognition.app import create_app as create_recognition
from services.recognition.engine.face_engine import to_bytes
from services.recognition.settings import RecognitionSettings
from tests.gallery.world import World
from tests.support.engine_pools import lent_pools
from tests.support.http_server import calling
from tests.support.own_role import with_own_role
from tests.support.people import Person
from tests.support.polling import eventually
from tests.support.scripted_engine import ScriptedEngine, embedding_of
from tests.support.settings import settings_of


class Venue:
    """An event, its photographer, and whoever is in its photos."""

    def __init__(self, world: World, photographer: Person, event_id: int) -> None:
        self.world = world
        self.photographer = photographer
        self.event_id = event_id

    async def photo_of(self, *people: int) -> int:
        """A photo with a face of each of them, the first at the left."""
        photo_id = await self.world.photo(self.event_id, photographer=self.photographer)
        for position, person in enumerate(people):
            face_id = await self.world.face(photo_id, self.event_id, position)
            embedding = to_bytes(embedding_of(person))
            await self.world.change(faces, face_id, left=position / 8, embedding=embedding)
        return photo_id

    async def ask(
        self, path: str = "", *, who: Person | None = None, **query: Any
    ) -> httpx.Response:
        return await self.world.client.get(
            self.url(path), params=query, headers=(who or self.photographer).headers
        )

    async def people(self, **query: Any) -> list[dict[str, Any]]:
        answer = await self.ask(**query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["people"]
        return found

    async def add(
        self, person_id: int, guest: Person, *, who: Person | None = None
    ) -> httpx.Response:
        return await self.world.client.post(
            self.url(f"/{person_id}/guest"),
            json={"user_id": guest.id},
            headers=(who or self.photographer).headers,
        )

    def url(self, path: str) -> str:
        return f"/api/photographer/events/{self.event_id}/people{path}"


@pytest.fixture
async def world(database_url: str, tmp_path: Path, provider: str) -> AsyncIterator[World]:
    """No relay runs; recognition is asked as it is in one process with the gallery."""
    settings = settings_of(GallerySettings, database_url)
    recognition_settings = settings_of(
        RecognitionSettings,
        database_url,
        photo_queue_workers=1,
        face_recognizer_provider=provider,
        rekognition_endpoint_url="http://127.0.0.1:9",
    )
    topology = findme_topology()
    bus = InProcessBus(topology)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(bus.close)
        database = await stack.enter_async_context(Database.open(settings))
        resources = Resources(database, bus, await FolderStore.open(tmp_path / "store"), topology)
        pools = await stack.enter_async_context(lent_pools(ScriptedEngine, recognition_settings))
        theirs = await stack.enter_async_context(
            with_own_role(resources, recognition_settings, "recognition")
        )
        recognition = create_recognition(recognition_settings, theirs, pools=pools)
        await stack.enter_async_context(recognition.router.lifespan_context(recognition))
        own = await stack.enter_async_context(with_own_role(resources, settings, "gallery"))
        app = create_app(settings, own, recognition_transport=httpx.ASGITransport(recognition))
        client = await stack.enter_async_context(calling(app))
        yield World(database, app, client, bus)


@pytest.fixture
def provider() -> str:
    return "embedded"


@pytest.fixture
async def venue(world: World) -> Venue:
    photographer = await world.photographer()
    return Venue(world, photographer, await world.event(photographer))


async def test_who_is_in_two_photos_or_more_is_listed_with_a_cover_that_can_be_shown(
    venue: Venue,
) -> None:
    both, again = await venue.photo_of(1, 2), await venue.photo_of(3, 1)

    answer = await venue.ask()

    found = answer.json()
    (person,) = found.pop("people")
    assert found.pop("computed_at")
    assert found == {"event_id": venue.event_id, "faces_considered": 4, "faces_in_all": 4}
    assert (person["photo_count"], person["face_count"]) == (2, 2)
    assert person["photos"] == [
        {"photo_id": again, "box": {"left": 0.125, "top": 0.25, "width": 0.5, "height": 0.375}},
        {"photo_id": both, "box": {"left": 0.0, "top": 0.25, "width": 0.5, "height": 0.375}},
    ]
    assert person["cover"]["photo_id"] == both
    assert person["cover"]["box"]["left"] == 0.0
    assert person["cover"]["width"] == 4000
    assert person["added_user_ids"] == []
    listed = await venue.world.client.get(
        f"/api/photographer/events/{venue.event_id}/photos", headers=venue.photographer.headers
    )
    shown = {photo["id"]: photo for photo in listed.json()}
    for key in ("url", "thumbnail_url", "preview_url"):
        assert person["cover"][key] == shown[both][key]
    assert len(await venue.people(min_photos=1)) == 3


async def test_pages_follow_each_other_by_the_link(venue: Venue) -> None:
    for person in (1, 2, 3):
        for _ in range(person):
            await venue.photo_of(person)
    whole = await venue.people(min_photos=1)
    assert [person["photo_count"] for person in whole] == [3, 2, 1]

    answer = await venue.ask(min_photos=1, limit=2)
    paged = answer.json()["people"]
    assert 'rel="next"' in answer.headers["link"]
    following = await venue.world.client.get(
        answer.links["next"]["url"], headers=venue.photographer.headers
    )
    assert paged + following.json()["people"] == whole
    assert "link" not in following.headers


async def test_a_person_s_photos_are_listed_like_others_with_the_place_of_the_face(
    venue: Venue,
) -> None:
    photo_ids = [await venue.photo_of(2, 1) for _ in range(3)]
    await venue.photo_of(2)
    person = (await venue.people())[1]

    answer = await venue.ask(f"/{person['id']}/photos", limit=2)
    first = answer.json()
    rest = await venue.world.client.get(
        answer.links["next"]["url"], headers=venue.photographer.headers
    )

    assert [photo["id"] for photo in first + rest.json()] == photo_ids[::-1]
    assert {photo["box"]["left"] for photo in first} == {0.125}
    assert first[0]["show_in_general"] is None
    assert (await venue.ask("/999999/photos")).status_code == 404


async def test_a_guest_is_added_to_all_photos_of_a_person_but_those_they_denied(
    venue: Venue,
) -> None:
    world = venue.world
    denied, said, new = [await venue.photo_of(1) for _ in range(3)]
    guest = await world.person(joined=venue.event_id)
    for photo_id, verdict in ((denied, NOT_ME), (said, ADDED)):
        await world.execute(
            match_overrides.insert().values(
                user_id=guest.id, event_id=venue.event_id, photo_id=photo_id, verdict=verdict
            )
        )
    (person,) = await venue.people()

    answer = await venue.add(person["id"], guest)

    assert answer.json() == {
        "message": "Photos that the guest was added to: 1.",
        "user_id": guest.id,
        "added": 1,
        "added_before": 1,
        "denied_by_guest": 1,
    }
    mine = await world.client.get("/api/my-photos", headers=guest.headers)
    assert {photo["id"] for photo in mine.json()} == {said, new}
    assert await world.sent() == [
        (
            "match.changed",
            {
                "version": 1,
                "event_id": venue.event_id,
                "photo_id": None,
                "user_ids": [guest.id],
            },
        )
    ]
    assert (await venue.add(person["id"], guest)).json()["added"] == 0
    assert await world.sent() == []


async def test_who_was_added_to_a_person_s_photos_is_named_with_them(venue: Venue) -> None:
    denied, _ = [await venue.photo_of(1) for _ in range(2)]
    guest, other = [await venue.world.person(joined=venue.event_id) for _ in range(2)]
    for each in (guest, other):
        await venue.world.client.post(f"/api/my-photos/{denied}/not-me", headers=each.headers)
    (person,) = await venue.people()
    assert person["added_user_ids"] == []
    await venue.add(person["id"], guest)
    (person,) = await venue.people()
    assert person["added_user_ids"] == [guest.id]
    await venue.photo_of(1)
    (person,) = await eventually_people(venue, photo_count=3)
    assert person["added_user_ids"] == []


async def eventually_people(venue: Venue, *, photo_count: int) -> list[dict[str, Any]]:
    """The list is of a moment ago; its next making knows the new photo.

    That is ten times as far away as the last one took, which a busy machine makes long.
    """
    found: list[dict[str, Any]] = []

    async def has_come() -> bool:
        found[:] = await venue.people()
        return bool(found[0]["photo_count"] == photo_count)

    await eventually(has_come, timeout=90)
    return found


async def test_only_guests_of_the_event_can_be_added(venue: Venue) -> None:
    await venue.photo_of(1)
    await venue.photo_of(1)
    (person,) = await venue.people()
    stranger = await venue.world.person()
    answer = await venue.add(person["id"], stranger)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Guest not found"})
    assert (await venue.add(999_999, stranger)).json() == {"detail": "Person not found"}


async def test_a_deleted_photo_is_never_a_cover(venue: Venue) -> None:
    first, second, third = [await venue.photo_of(1) for _ in range(3)]
    (person,) = await venue.people()
    assert person["cover"]["photo_id"] == first
    await venue.world.delete(photos, first)
    (person,) = await venue.people()
    assert {photo["photo_id"] for photo in person["photos"]} == {second, third}
    assert person["cover"]["photo_id"] == second


async def test_the_event_s_photographer_and_admins_may_ask_and_nobody_else(venue: Venue) -> None:
    world = venue.world
    for _ in range(2):
        await venue.photo_of(1)
    (person,) = await venue.people()
    guest = await world.person(joined=venue.event_id)
    expected = {
        await world.admin(): 200,
        await world.photographer(): 404,
        guest: 403,
    }
    for who, status in expected.items():
        assert (await venue.ask(who=who)).status_code == status
        assert (await venue.ask(f"/{person['id']}/photos", who=who)).status_code == status
        assert (await venue.add(person["id"], guest, who=who)).status_code == status


async def test_a_guest_s_photos_are_nobody_else_s_and_another_event_s_people_stay_there(
    venue: Venue,
) -> None:
    elsewhere = Venue(venue.world, venue.photographer, await venue.world.event(venue.photographer))
    for _ in range(2):
        await venue.photo_of(1)
    (person,) = await venue.people()
    assert await elsewhere.people() == []
    assert (await elsewhere.ask(f"/{person['id']}/photos")).status_code == 404


@pytest.mark.parametrize(
    "query", [{"cursor": "nonsense"}, {"min_photos": 0}, {"limit": 0}, {"min_photos": "two"}]
)
async def test_a_question_that_makes_no_sense_is_told_so(
    venue: Venue, query: dict[str, Any]
) -> None:
    assert (await venue.ask(**query)).status_code in (400, 422)


@pytest.mark.parametrize("provider", ["rekognition"])
async def test_where_faces_are_at_a_paid_service_the_answer_says_why_there_is_none(
    venue: Venue,
) -> None:
    answer = await venue.ask()
    assert answer.status_code == 409
    assert "one paid search for every face" in answer.json()["detail"]


async def test_without_recognition_the_photographer_is_asked_to_try_again(
    database_url: str, tmp_path: Path
) -> None:
    settings = settings_of(GallerySettings, database_url, recognition_url="http://127.0.0.1:9")
    topology = findme_topology()
    bus = InProcessBus(topology)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(bus.close)
        database = await stack.enter_async_context(Database.open(settings))
        store = await FolderStore.open(tmp_path / "store")
        app = create_app(settings, Resources(database, bus, store, topology))
        client = await stack.enter_async_context(calling(app))
        world = World(database, app, client, bus)
        photographer = await world.photographer()
        answer = await Venue(world, photographer, await world.event(photographer)).ask()
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0

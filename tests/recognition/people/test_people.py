"""People without a selfie, as the gallery asks for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from sqlalchemy import insert

from libs.common.database.tables import events, faces, match_overrides, photos, selfies
from libs.common.errors import Unavailable
from libs.common.resources import Resources
from libs.common.rights.counted_matches import ADDED, NOT_ME
from libs.common.web.internal import INTERNAL_TOKEN_HEADER, internal_token
from services.recognition.engine.face_engine import EMBEDDED, MIN_QUALITY, OPENCV, to_bytes
from services.recognition.people import find_people
from services.recognition.people.find_people import PeopleFinder
from services.recognition.people.group_apart import group_apart
from services.recognition.settings import RecognitionSettings
from tests.recognition.conftest import running_recognition
from tests.recognition.matching.test_matching import settled
from tests.support.odd_engines import PROVIDERS, as_of
from tests.support.people import KEYS
from tests.support.polling import eventually
from tests.support.scripted_engine import embedding_of
from tests.support.world import World

TOKEN = {INTERNAL_TOKEN_HEADER: internal_token(KEYS)}


@pytest.fixture
async def client(recognition: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(recognition)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=TOKEN
    ) as client:
        yield client


async def people_of(client: httpx.AsyncClient, event_id: int, **query: Any) -> dict[str, Any]:
    answer = await client.get(
        f"/internal/events/{event_id}/people",
        params={"min_photos": 1, "limit": 50, "fresh": True} | query,
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def photos_of(found: dict[str, Any]) -> list[set[int]]:
    return [{photo["photo_id"] for photo in person["photos"]} for person in found["people"]]


async def test_whoever_is_in_several_photos_is_one_person_with_all_of_them(
    world: World, client: httpx.AsyncClient
) -> None:
    event, other = await world.event(), await world.event()
    first = await world.photo(event, "people 1 2")
    second = await world.photo(event, "people 2 3")
    third = await world.photo(event, "people 2 1")
    await world.photo(other, "people 2")
    await eventually(lambda: settled(world))

    found = await people_of(client, event)

    assert photos_of(found) == [{first, second, third}, {first, third}, {second}]
    assert (found["faces_considered"], found["faces_in_all"]) == (6, 6)
    person = found["people"][1]
    assert (person["photo_count"], person["face_count"]) == (2, 2)
    left = {first: 0.0, third: 0.1}[person["cover"]["photo_id"]]
    box = {key: value for key, value in person["cover"].items() if key != "photo_id"}
    assert box == pytest.approx({"left": left, "top": 0.1, "width": 0.2, "height": 0.3})
    whole = await client.get(f"/internal/events/{event}/people/{person['id']}")
    assert whole.json() == person
    assert len((await people_of(client, event, min_photos=2))["people"]) == 2


async def test_guests_with_a_selfie_are_left_out_and_come_back_when_they_deny_it(
    world: World, client: httpx.AsyncClient
) -> None:
    event = await world.event()
    both = await world.photo(event, "people 1 2")
    await eventually(lambda: settled(world))
    assert len((await people_of(client, event))["people"]) == 2

    guest = await world.guest(event, person=1)
    await eventually(lambda: settled(world))
    assert len((await people_of(client, event))["people"]) == 1

    await word(world, guest, event, both, NOT_ME)
    assert len((await people_of(client, event))["people"]) == 2


async def test_a_face_that_is_nearly_a_guest_s_is_unknown_until_somebody_says_who_it_is(
    world: World, client: httpx.AsyncClient
) -> None:
    event = await world.event()
    guest = await world.guest(event, person=1)
    photo = await world.photo(event, "people 1?")
    await eventually(lambda: settled(world))
    assert photos_of(await people_of(client, event)) == [{photo}]
    await word(world, guest, event, photo, ADDED)
    assert photos_of(await people_of(client, event)) == []


async def test_what_is_deleted_is_gone_from_the_next_answer(
    world: World, client: httpx.AsyncClient
) -> None:
    event = await world.event()
    kept = await world.photo(event, "people 1")
    gone = await world.photo(event, "people 1")
    guest = await world.guest(event, person=1)
    await eventually(lambda: settled(world))
    assert photos_of(await people_of(client, event)) == []

    (selfie,) = [await world.scalar("SELECT id FROM selfies WHERE user_id = :u", u=guest)]
    await world.delete(selfies, selfie)
    assert photos_of(await people_of(client, event)) == [{kept, gone}]
    await world.delete(photos, gone)
    assert photos_of(await people_of(client, event)) == [{kept}]
    await world.delete(events, event)
    answer = await client.get(f"/internal/events/{event}/people?min_photos=1&limit=1")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Event not found"})


async def test_unmatchable_faces_and_those_of_another_engine_are_no_people(
    world: World, resources: Resources
) -> None:
    event = await world.event()
    for engine, quality in (
        (EMBEDDED.name, 0.9),
        (EMBEDDED.name, MIN_QUALITY / 2),
        (OPENCV.name, 0.9),
    ):
        await stored_face(world, event, 1, engine=engine, quality=quality)
    async with PeopleFinder(resources.database, EMBEDDED) as finder:
        assert (await finder.find(event)).faces_in_all == 1
    async with PeopleFinder(resources.database, OPENCV) as finder:
        assert (await finder.find(event)).faces_in_all == 1


async def test_of_too_many_faces_the_best_ones_are_taken_and_the_answer_says_so(
    world: World, resources: Resources
) -> None:
    event = await world.event()
    taken = [await stored_face(world, event, 1, quality=quality) for quality in (0.9, 0.3, 0.8)]
    async with PeopleFinder(resources.database, EMBEDDED, most_faces=2) as finder:
        found = await finder.find(event)
    assert (found.faces_considered, found.faces_in_all) == (2, 3)
    (person,) = found.people.page(min_photos=1, limit=9, after=None)
    assert {face.photo_id for face in person.faces} == {taken[0], taken[2]}


async def test_the_event_s_own_threshold_says_who_is_one_person(
    world: World, resources: Resources
) -> None:
    event = await world.event()
    near = EMBEDDED.calibration.distance_of(80)
    away = embedding_of(2) - embedding_of(1)
    for offset in (0.0, near / float(np.linalg.norm(away))):
        await stored_face(world, event, 1, embedding=embedding_of(1) + np.float32(offset) * away)
    async with PeopleFinder(resources.database, EMBEDDED) as finder:
        before = await finder.find(event)
        await world.execute(
            events.update().where(events.c.id == event).values(match_threshold=79.0)
        )
        after = await finder.find(event, is_fresh=True)
    assert [
        len(found.people.page(min_photos=1, limit=9, after=None)) for found in (before, after)
    ] == [2, 1]


async def test_many_who_ask_at_once_share_one_run_and_nothing_is_done_twice_for_no_change(
    world: World, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []

    async def counted(*arguments: Any, **options: Any) -> Any:
        runs.append(1)
        return await group_apart(*arguments, **options)

    monkeypatch.setattr(find_people, "group_apart", counted)
    event = await world.event()
    await stored_face(world, event, 1)
    async with PeopleFinder(resources.database, EMBEDDED) as finder:
        found = await asyncio.gather(*(finder.find(event) for _ in range(5)))
        assert await finder.find(event, is_fresh=True) is found[0]
        assert len(runs) == 1
        await stored_face(world, event, 1)
        # Just grouped: good enough for one who does not insist.
        assert await finder.find(event) is found[0]
        assert (await finder.find(event, is_fresh=True)).faces_in_all == 2
    assert len(runs) == 2


async def test_when_too_many_events_wait_the_next_is_asked_to_come_back(
    world: World, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_people, "MOST_WAITING", 0)
    one, other = await world.event(), await world.event()
    async with PeopleFinder(resources.database, EMBEDDED) as finder:
        results = await asyncio.gather(finder.find(one), finder.find(other), return_exceptions=True)
        assert [isinstance(result, Unavailable) for result in results].count(True) == 1


async def test_faces_that_take_too_long_are_given_up(resources: Resources) -> None:
    faces_of_many = np.random.default_rng(1).standard_normal((20_000, 128)).astype(np.float32)
    with pytest.raises(Unavailable, match="too long"):
        await group_apart(faces_of_many, largest_distance=0.54, timeout_seconds=0.01)


async def test_only_our_own_services_may_ask(world: World, recognition: FastAPI) -> None:
    event = await world.event()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(recognition), base_url="http://test")
        )
        for path in ("people?min_photos=1&limit=1", "people/1"):
            assert (await client.get(f"/internal/events/{event}/{path}")).status_code == 403


async def test_a_paid_service_is_not_asked_for_every_face(
    settings: RecognitionSettings, resources: Resources, world: World
) -> None:
    paid = settings.model_copy(
        update={
            "face_recognizer_provider": "rekognition",
            "rekognition_endpoint_url": "http://127.0.0.1:9",
        }
    )
    event = await world.event()
    async with running_recognition(paid, resources) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test", headers=TOKEN
        ) as client:
            answer = await client.get(f"/internal/events/{event}/people?min_photos=1&limit=1")
    assert answer.status_code == 409
    assert "one paid search for every face" in answer.json()["detail"]


async def word(world: World, guest: int, event: int, photo: int, verdict: str) -> None:
    await world.execute(
        insert(match_overrides).values(
            user_id=guest, event_id=event, photo_id=photo, verdict=verdict
        )
    )


async def stored_face(
    world: World,
    event_id: int,
    person: int,
    *,
    engine: str = EMBEDDED.name,
    quality: float = 0.9,
    embedding: np.ndarray | None = None,
) -> int:
    """The id of a new photo with one such face."""
    photo_id = await world.insert_photo(event_id, processing_status="done")
    vector = embedding_of(person) if embedding is None else embedding
    await world.insert(
        faces,
        {
            "photo_id": photo_id,
            "event_id": event_id,
            "position": 0,
            "left": 0.1,
            "top": 0.1,
            "width": 0.2,
            "height": 0.2,
            "confidence": 0.9,
            "quality": quality,
            "engine": engine,
            "embedding": to_bytes(as_of(PROVIDERS[engine], vector)),
        },
    )
    return photo_id

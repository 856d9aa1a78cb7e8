"""A selfie is looked at by an engine once, however many the events that it is matched in."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from libs.common.consent import VERSION
from libs.common.database.tables import selfies
from libs.common.messaging.messages import SelfieUploaded
from services.recognition.engine.face_engine import EngineFactory, to_bytes
from tests.support.engine_calls import EngineCall, read_calls
from tests.support.odd_engines import EMBEDDED, OPENCV, OneSided
from tests.support.people import Person
from tests.support.polling import eventually
from tests.support.rekognition.picture_engine import PictureEngine
from tests.support.rekognition.pictures import picture_of
from tests.support.rekognition_server import running_rekognition
from tests.support.scripted_engine import ScriptedEngine, embedding_of
from tests.support.stack import Stack, running_stack
from tests.support.tiny_jpeg import tiny_jpeg

SELFIE = tiny_jpeg("people 1\nthe selfie")
CHECKED = ("findme_engine_calls_total", {"operation": "check_face"})
Running = Callable[..., AbstractAsyncContextManager[Stack]]


@pytest.fixture
def running(database_url: str, tmp_path: Path) -> Running:
    """Starts the services with an engine."""

    @asynccontextmanager
    async def start(factory: EngineFactory, **settings: object) -> AsyncIterator[Stack]:
        objects = tmp_path / "objects"
        async with running_stack(
            database_url, engine=factory, photo_store_dir=objects, **settings
        ) as stack:
            yield stack

    return start


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "calls.log"


def calls_of_selfie(log: Path) -> list[EngineCall]:
    return [call for call in read_calls(log) if call.name == "the selfie"]


async def guest_of(stack: Stack, events: int) -> tuple[Person, list[int]]:
    """A guest of events in which one photo each shows the first person."""
    guest = await stack.world.person()
    event_ids = [await stack.world.event() for _ in range(events)]
    for event_id in event_ids:
        await stack.world.join(guest, event_id)
        await stack.world.photo(event_id, f"people 1\nphoto of {event_id}")
    return guest, event_ids


async def send(stack: Stack, guest: Person, content: bytes = SELFIE) -> None:
    answer = await stack.client.post(
        "/api/upload-selfie", headers=guest.headers, files={"file": ("me.jpg", content)}
    )
    assert answer.status_code == 200, answer.text


async def judged(stack: Stack, content: bytes = SELFIE) -> None:
    answer = await stack.client.post("/api/validate-selfie", files={"file": ("me.jpg", content)})
    assert (answer.status_code, answer.json()) == (200, {"valid": True})


async def matched_everywhere(stack: Stack, event_ids: list[int]) -> None:
    async def is_matched() -> bool:
        return all([await stack.world.matches(event_id) for event_id in event_ids])

    await eventually(is_matched)


async def test_from_its_first_look_to_its_matches_a_selfie_costs_one_call_of_the_engine(
    running: Running, log: Path
) -> None:
    async with running(partial(ScriptedEngine, log=log)) as stack:
        guest, event_ids = await guest_of(stack, 2)

        await judged(stack)
        await send(stack, guest)

        await matched_everywhere(stack, event_ids)
        later = await stack.world.event()
        await stack.world.photo(later, "people 1\nlater")
        joined = await stack.client.post(
            "/api/join-event",
            headers=guest.headers,
            json=await stack.world.scalar("SELECT event_code FROM events WHERE id = :id", id=later),
        )
        assert joined.status_code == 200, joined.text
        await matched_everywhere(stack, [later])
    assert len(calls_of_selfie(log)) == 1


@pytest.mark.parametrize("is_judged_first", [False, True])
async def test_whoever_joins_with_a_selfie_has_their_photos_for_one_call_of_the_engine(
    running: Running, log: Path, *, is_judged_first: bool
) -> None:
    async with running(partial(ScriptedEngine, log=log)) as stack:
        event_id = await stack.world.event(code="PARTY7")
        photo_id = await stack.world.photo(event_id, "people 1\nphoto")
        if is_judged_first:
            await judged(stack)
        form = {"event_code": "PARTY7", "name": "Anna", "consent_version": VERSION}

        answer = await stack.client.post(
            "/api/join-with-selfie", data=form, files={"file": ("me.jpg", SELFIE)}
        )

        assert answer.status_code == 200, answer.text
        await matched_everywhere(stack, [event_id])
        # By the cookie that came with it.
        assert stack.client.cookies
        mine = await stack.client.get(f"/api/user/events/{event_id}/photos")
        assert [photo["id"] for photo in mine.json()] == [photo_id]
    assert len(calls_of_selfie(log)) == 1


async def test_another_engine_than_the_one_that_checked_a_selfie_looks_for_itself(
    running: Running, log: Path
) -> None:
    async with running(partial(OneSided, log=log)) as stack:
        guest, [event_id] = await guest_of(stack, 1)
        await send(stack, guest)
        await matched_everywhere(stack, [event_id])
    before = len(calls_of_selfie(log))

    engine = partial(OneSided, provider="opencv", log=log)
    async with running(engine, face_recognizer_provider="opencv") as stack:

        async def is_indexed_anew() -> bool:
            return bool(await stack.world.scalar("SELECT engine FROM selfie_indexes") == OPENCV)

        await eventually(is_indexed_anew)
        left = await stack.world.scalar("SELECT embedding FROM selfies")

    assert (before, len(calls_of_selfie(log))) == (1, 2)
    assert left is None


async def test_a_check_of_the_engine_before_is_ignored_by_its_successor(
    running: Running, log: Path
) -> None:
    engine = partial(OneSided, provider="opencv", log=log)
    async with running(engine, face_recognizer_provider="opencv") as stack:
        guest, [event_id] = await guest_of(stack, 1)
        # As if the check had been made, and the row written, while the engines changed.
        selfie_id = await stack.world.selfie(guest.id, SELFIE, publish=False)
        stranger = to_bytes(embedding_of(99))
        async with stack.world.database.unit_of_work() as unit:
            await unit.connection.execute(
                selfies.update().values(engine=EMBEDDED, embedding=stranger)
            )
            unit.publish(SelfieUploaded(event_id=event_id, user_id=guest.id, selfie_id=selfie_id))

        await matched_everywhere(stack, [event_id])
    assert len(calls_of_selfie(log)) == 1


async def test_whoever_only_has_a_selfie_validated_leaves_nothing_but_what_the_picture_opens(
    running: Running, log: Path
) -> None:
    async with running(partial(ScriptedEngine, log=log)) as stack:
        await judged(stack)
        assert len(calls_of_selfie(log)) == 1
        sealed = await stack.world.scalar("SELECT sealed FROM face_checks")
        assert sealed != to_bytes(embedding_of(1))
        assert await stack.world.scalar("SELECT count(*) FROM selfies") == 0
        assert not [info.key async for info in stack.resources.store.list("")]


async def test_beside_a_paid_service_the_check_keeps_no_embedding(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "findme")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "findme-secret")
    async with (
        running_rekognition() as server,
        running(
            PictureEngine,
            face_recognizer_provider="rekognition",
            rekognition_endpoint_url=server.url,
            rekognition_batch_seconds=0.5,
        ) as stack,
    ):
        guest = await stack.world.person()
        event_id = await stack.world.event()
        await stack.world.join(guest, event_id)
        await stack.world.photo(event_id, picture_of([1, 2]))

        selfie = picture_of([1], size=(1600, 900))
        checks = REGISTRY.get_sample_value(*CHECKED) or 0.0
        await judged(stack, selfie)
        assert await stack.world.scalar("SELECT sealed IS NULL FROM face_checks")
        await send(stack, guest, selfie)
        assert (REGISTRY.get_sample_value(*CHECKED) or 0.0) == checks + 1

        await matched_everywhere(stack, [event_id])
        assert server.count()["IndexFaces"] == 2
        assert await stack.world.scalar("SELECT embedding IS NULL FROM selfies")

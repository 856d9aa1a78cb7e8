"""What is deleted while services are at work on it is not brought back by them.

Each is held just before it writes, when the deletion goes first, and just after, before its
commit, when the deletion has to wait.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial

import httpx
import pytest
from sqlalchemy import text

from libs.common.storage.folder import FolderStore
from services.ingest.photos import repository as uploaded_photos
from services.ingest.selfies import repository as uploaded_selfies
from services.media.renditions.rendition_pool import RenditionPool
from services.recognition.engine.face_engine import to_bytes
from services.recognition.matching import repository as stored_matches
from services.recognition.photos import repository
from services.recognition.selfies import repository as selfie_repository
from tests.erasure.party import Party
from tests.support.gate import Gate
from tests.support.locks import someone_waits
from tests.support.people import Person
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.rekognition.picture_engine import alone
from tests.support.scripted_engine import embedding_of
from tests.support.traces import Needle

PEOPLE = ([1, 2], [2, 3])


@dataclass(frozen=True)
class Scene:
    """An event with a photo and two guests, one of whom is about to go."""

    event: int
    stays: Person
    goes: Person
    needles: list[Needle]


async def scene(party: Party, number: int, *, with_selfies: bool, with_photos: bool) -> Scene:
    event = await party.event(party.photographer)
    stays = await party.guest(number, event)
    goes = (
        await party.guest(number + 1, event) if with_selfies else await party.person(joined=event)
    )
    if with_photos:
        await party.upload(event, [number, number + 1], [number + 1, number + 2])
    await party.settled()
    return Scene(event, stays, goes, [])


async def delete_selfie(party: Party, scene: Scene, number: int) -> list[Needle]:
    needles = await party.all_of_selfies(scene.goes, number)
    await succeed(party.call("DELETE", "/api/my-selfie", scene.goes))
    return needles


async def delete_account(party: Party, scene: Scene, number: int) -> list[Needle]:
    needles = await party.all_of_account(scene.goes, number)
    await succeed(party.call("DELETE", "/api/me", scene.goes))
    return needles


async def delete_event(party: Party, scene: Scene, number: int) -> list[Needle]:
    needles = await party.all_of_event(scene.event)
    needles += [to_bytes(embedding_of(person)) for person in range(number, number + 3)]
    needles += [f"user:{scene.goes.id}:"] if party.server else []
    await succeed(party.call("DELETE", f"/api/admin/events/{scene.event}", party.admin))
    return needles


async def succeed(call: Awaitable[httpx.Response]) -> None:
    answer = await call
    assert answer.status_code == 200, answer.text


Deletion = Callable[[Party, Scene, int], Coroutine[None, None, list[Needle]]]


async def finished_or_waiting(
    party: Party, deletion: asyncio.Task[list[Needle]] | asyncio.Task[None]
) -> None:
    """Wait until the deletion is through, or waits for a transaction that is held."""

    async def is_either() -> bool:
        return deletion.done() or await someone_waits(party.database)

    await eventually(is_either)


async def race(
    party: Party, gate: Gate, work: Awaitable[object], delete: Deletion, scene: Scene, number: int
) -> None:
    working = asyncio.ensure_future(work)
    await asyncio.wait_for(gate.reached.wait(), PATIENCE_SECONDS)
    deletion = asyncio.create_task(delete(party, scene, number))
    await finished_or_waiting(party, deletion)
    if deletion.done():
        # Whatever is written from now on comes after the cleanup.
        await eventually(partial(party.is_gone_from_the_store, deletion.result()))
    gate.open()
    await working
    needles = await deletion
    await asyncio.wait_for(gate.passed.wait(), PATIENCE_SECONDS)
    await party.nothing_is_left(needles)


DELETIONS: Sequence[Deletion] = (delete_selfie, delete_account, delete_event)


async def test_faces_that_were_just_found_in_a_photo(
    party: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, after in ((10, False), (20, True)):
        here = await scene(party, number, with_selfies=True, with_photos=False)
        with monkeypatch.context() as patch:
            gate = Gate(patch, repository, "save_analysis", after=after)
            work = party.upload(here.event, [number, number + 1])
            await race(party, gate, work, delete_event, here, number)


async def test_a_face_that_was_just_found_in_a_selfie(
    party: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = 0
    for delete in DELETIONS:
        for after in (False, True):
            number += 10
            here = await scene(party, number, with_selfies=False, with_photos=True)
            with monkeypatch.context() as patch:
                gate = Gate(patch, selfie_repository, "save_face_key", after=after)
                work = party.send_selfie(here.goes, number + 1)
                await race(party, gate, work, delete, here, number + 1)


@pytest.mark.parametrize("finder", ["photo", "selfie"])
async def test_matches_that_were_just_found(
    party: Party, monkeypatch: pytest.MonkeyPatch, finder: str
) -> None:
    number = 0
    for delete in DELETIONS:
        for after in (False, True):
            number += 10
            here = await scene(
                party, number, with_selfies=finder == "photo", with_photos=finder == "selfie"
            )
            with monkeypatch.context() as patch:
                gate = Gate(patch, stored_matches, "upsert", after=after)
                work = (
                    party.upload(here.event, [number, number + 1])
                    if finder == "photo"
                    else party.send_selfie(here.goes, number + 1)
                )
                await race(party, gate, work, delete, here, number + 1)


@pytest.mark.parametrize("party", ["embedded"], indirect=True)
async def test_the_embedding_of_a_guest_both_of_whose_events_go_at_once(party: Party) -> None:
    events = [await party.event(party.photographer) for _ in range(2)]
    guest = await party.guest(1, *events)
    await party.settled()

    async with party.database.unit_of_work() as first:
        await first.connection.execute(text(f"DELETE FROM events WHERE id = {events[0]}"))
        other = party.call("DELETE", f"/api/admin/events/{events[1]}", party.admin)
        going = asyncio.create_task(succeed(other))

        await finished_or_waiting(party, going)
    await going

    kept = "SELECT count(*) FROM selfies WHERE user_id = :id AND embedding IS NOT NULL"
    assert await party.scalar(kept, id=guest.id) == 0


@pytest.mark.parametrize("party", ["embedded"], indirect=True)
async def test_a_selfie_sent_by_a_guest_whose_event_went(party: Party) -> None:
    event = await party.event(party.photographer)
    guest = await party.person(joined=event)
    await succeed(party.call("DELETE", f"/api/admin/events/{event}", party.admin))

    await succeed(party.send_selfie(guest, 1))

    assert await party.scalar(
        "SELECT embedding IS NULL FROM selfies WHERE user_id = :id", id=guest.id
    )


@pytest.mark.parametrize("party", ["embedded"], indirect=True)
async def test_a_rendition_that_was_just_made(
    party: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await scene(party, 10, with_selfies=True, with_photos=True)
    (photo, *_) = (await party.call("GET", "/api/my-photos", here.stays)).json()
    gate = Gate(monkeypatch, RenditionPool, "render", after=True)
    work = party.services.client.get(photo["preview_url"])
    await race(party, gate, work, delete_event, here, 10)


@pytest.mark.parametrize("party", ["embedded"], indirect=True)
@pytest.mark.parametrize(
    ("name", "after", "status"),
    [("find_earlier_photo", True, 404), ("add_photo", False, 404), ("add_photo", True, 200)],
    ids=["before its object", "before its row", "before its commit"],
)
async def test_a_photo_that_was_just_uploaded(
    party: Party, monkeypatch: pytest.MonkeyPatch, name: str, after: bool, status: int
) -> None:
    here = await scene(party, 10, with_selfies=True, with_photos=True)
    gate = Gate(monkeypatch, uploaded_photos, name, after=after)
    answers: list[httpx.Response] = []

    async def upload() -> None:
        answers.append(await party.upload(here.event, [1]))

    await race(party, gate, upload(), delete_event, here, 10)
    assert answers[0].status_code == status


@pytest.mark.parametrize("party", ["embedded"], indirect=True)
@pytest.mark.parametrize(
    ("owner", "name", "after", "status"),
    [(FolderStore, "put", False, 401), (uploaded_selfies, "lock_user", True, 200)],
    ids=["before its object", "before its commit"],
)
async def test_a_selfie_that_was_just_sent(
    party: Party,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    after: bool,
    status: int,
) -> None:
    here = await scene(party, 10, with_selfies=True, with_photos=True)
    gate = Gate(monkeypatch, owner, name, after=after)
    answers: list[httpx.Response] = []

    async def send() -> None:
        answers.append(await party.send_selfie(here.goes, 12))

    await race(party, gate, send(), delete_account, here, 11)
    assert answers[0].status_code == status
    assert await party.traces([to_bytes(alone(embedding_of(12)))]) == []

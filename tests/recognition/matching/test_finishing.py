"""What finishing and rematching write, and what events of any size ask of database and loop."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert, text
from sqlalchemy.pool import QueuePool

from libs.common.database.tables import faces
from libs.common.messaging.messages import RematchRequested
from services.recognition.engine.face_engine import EMBEDDED, to_bytes
from services.recognition.indexes.embedded import index as embedded_index
from services.recognition.indexes.embedded import repository as face_sets
from services.recognition.indexes.embedded.index import EmbeddedIndex
from services.recognition.matching import compare
from services.recognition.matching import match as matching
from services.recognition.matching import repository as stored_matches
from services.recognition.matching.compare import alike_pairs
from services.recognition.matching.match import (
    Matcher,
    finish_photos,
    finish_selfies,
    rematch_event,
)
from services.recognition.photos.repository import find_photo
from tests.support.conflicts import OneDeadlock
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.rows import Rows
from tests.support.scripted_engine import embedding_of
from tests.support.statements import statements

GUESTS = 50


async def guest(rows: Rows, event_id: int, person: int) -> tuple[int, int]:
    """A guest's id and that of their selfie, which is indexed and waits to be matched."""
    owner = await rows.person(joined=event_id)
    selfie = await rows.insert_selfie(owner)
    await rows.index(
        selfie,
        event_id,
        owner,
        status="indexed",
        engine=EMBEDDED.name,
        embedding=to_bytes(embedding_of(person)),
    )
    return owner.id, selfie


async def photo(rows: Rows, event_id: int, *people: int) -> int:
    """A photo whose faces are found and wait to be matched."""
    photo_id = await rows.insert_photo(event_id, processing_status="analyzed", engine=EMBEDDED.name)
    if people:
        await rows.execute(
            insert(faces),
            [
                {
                    "photo_id": photo_id,
                    "event_id": event_id,
                    "position": position,
                    "left": 0.1,
                    "top": 0.1,
                    "width": 0.1,
                    "height": 0.1,
                    "confidence": 0.9,
                    "engine": EMBEDDED.name,
                    "embedding": to_bytes(embedding_of(person)),
                }
                for position, person in enumerate(people)
            ],
        )
    return photo_id


def matcher(rows: Rows) -> Matcher:
    no_pool: Any = None
    index = EmbeddedIndex(rows.database, no_pool, EMBEDDED, photos_at_once=1)
    return Matcher(rows.database, index)


async def test_fifty_selfies_are_finished_by_as_many_statements_as_one(rows: Rows) -> None:
    event_id = await rows.event()
    selfies = [(await guest(rows, event_id, person))[1] for person in range(GUESTS)]
    sent = []
    for some in (selfies[:1], selfies):
        with statements(rows.database) as seen:
            async with rows.database.unit_of_work() as unit:
                await finish_selfies(event_id, some, unit=unit)
        sent.append(len(seen))
    assert sent[0] == sent[1]
    assert await rows.scalar("SELECT count(*) FROM selfie_indexes WHERE status = 'done'") == GUESTS
    messages = "SELECT count(*) FROM outbox WHERE routing_key LIKE 'selfie.matched%'"
    assert await rows.scalar(messages) == 1 + GUESTS


async def test_fifty_photos_are_finished_by_as_many_statements_as_one(rows: Rows) -> None:
    event_id = await rows.event()
    photo_ids = [await photo(rows, event_id) for _ in range(50)]
    async with rows.database.read() as connection:
        found = [await find_photo(connection, photo_id) for photo_id in photo_ids]
    photos = [row for row in found if row is not None]
    sent = []
    for some in (photos[:1], photos):
        with statements(rows.database) as seen:
            async with rows.database.unit_of_work() as unit:
                await finish_photos(some, unit=unit)
        sent.append(len(seen))
    assert sent[0] == sent[1]
    assert await rows.scalar("SELECT count(*) FROM photos WHERE processing_status = 'done'") == 50


async def test_each_guest_is_told_in_how_many_photos_they_are(rows: Rows) -> None:
    event_id = await rows.event()
    counts = {}
    selfies = []
    for person in range(3):
        owner, selfie = await guest(rows, event_id, person)
        selfies.append(selfie)
        photo_ids = [await rows.insert_photo(event_id) for _ in range(person)]
        if photo_ids:
            await rows.match(owner, event_id, photo_ids, selfie)
        counts[selfie] = person
    async with rows.database.unit_of_work() as unit:
        await finish_selfies(event_id, [*selfies, 10**9], unit=unit)
    async with rows.database.read() as connection:
        found = await connection.execute(text("SELECT selfie_id, matched FROM selfie_indexes"))
        assert {row.selfie_id: row.matched for row in found} == counts


async def test_a_selfie_that_waits_to_be_indexed_anew_is_not_finished_by_a_rematch(
    rows: Rows,
) -> None:
    event_id = await rows.event()
    owner, selfie = await guest(rows, event_id, 1)
    # During the rematch the guest has left the event and joined it again.
    await rows.execute(text("DELETE FROM selfie_indexes"))
    await rows.index(selfie, event_id, owner, status="claimed")
    async with rows.database.unit_of_work() as unit:
        await finish_selfies(event_id, [selfie], unit=unit)
    assert await rows.scalar("SELECT status FROM selfie_indexes") == "claimed"


async def test_what_another_engine_found_stands_until_the_photo_was_compared_anew(
    rows: Rows,
) -> None:
    event_id = await rows.event()
    owner, selfie = await guest(rows, event_id, 1)
    # Analysed anew, its old faces are gone, while the selfie's scan had passed it.
    photo_id = await photo(rows, event_id, 2)
    await rows.execute(text("UPDATE photos SET finished_at = now() - interval '1 hour'"))
    await rows.match(owner, event_id, [photo_id], selfie, face_id=10**9)
    async with rows.database.unit_of_work() as unit:
        await finish_selfies(event_id, [selfie], unit=unit)
    assert await rows.scalar("SELECT count(*) FROM matches") == 1
    async with rows.database.unit_of_work() as unit:
        found = await find_photo(unit.connection, photo_id)
        assert found is not None
        await finish_photos([found], unit=unit)
    assert await rows.scalar("SELECT count(*) FROM matches") == 0


async def test_a_rematch_finds_the_same_however_it_is_cut_into_chunks(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_index, "SELFIES_AT_ONCE", 2)
    monkeypatch.setattr(face_sets, "SCAN_PHOTOS", 2)
    event_id = await rows.event()
    guests = {person: (await guest(rows, event_id, person))[0] for person in range(5)}
    crowds = [[0, 1], [], [1, 2, 7], [4], [3, 4, 0], [9], [2]]
    wanted = set()
    for crowd in crowds:
        photo_id = await photo(rows, event_id, *crowd)
        wanted |= {(guests[person], photo_id) for person in crowd if person in guests}
    await rematch_event(RematchRequested(event_id=event_id), using=matcher(rows))
    async with rows.database.read() as connection:
        found = await connection.execute(text("SELECT user_id, photo_id FROM matches"))
        assert {(row.user_id, row.photo_id) for row in found} == wanted


async def test_what_is_below_the_threshold_is_deleted_in_chunks_each_of_which_stands(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "PHOTOS_AT_ONCE", 2)
    event_id, other_event = await rows.event(), await rows.event()
    owner, selfie = await guest(rows, event_id, 1)
    photo_ids = [await rows.insert_photo(event_id) for _ in range(5)]
    await rows.match(owner, event_id, photo_ids, selfie)
    elsewhere = await rows.insert_photo(other_event)
    await rows.match(owner, other_event, [elsewhere], selfie)
    await rows.execute(text("UPDATE matches SET similarity = 40"))
    await rows.execute(text(f"UPDATE matches SET similarity = 90 WHERE photo_id = {photo_ids[3]}"))
    deadlock = OneDeadlock(stored_matches.delete_below, at_call=2)
    monkeypatch.setattr(stored_matches, "delete_below", deadlock)
    await rematch_event(RematchRequested(event_id=event_id), using=matcher(rows))
    # Three chunks and the end, and one of them again.
    assert deadlock.calls == 5
    async with rows.database.read() as connection:
        left = set(await connection.scalars(text("SELECT photo_id FROM matches")))
    assert left == {photo_ids[3], elsewhere}


async def test_of_a_photos_faces_the_most_alike_is_kept_wherever_a_chunk_ends(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_sets, "SCAN_PHOTOS", 1)
    event_id = await rows.event()
    await guest(rows, event_id, 1)
    for _ in range(3):
        await photo(rows, event_id, 1, 1, 1)
    away = to_bytes((embedding_of(1) + np.float32(0.2) * embedding_of(2)).astype(np.float32))
    async with rows.database.unit_of_work() as unit:
        await unit.connection.execute(
            faces.update().where(faces.c.position > 0).values(embedding=away)
        )
    await rematch_event(RematchRequested(event_id=event_id), using=matcher(rows))
    assert await rows.scalar("SELECT min(similarity) FROM matches") == 100
    assert await rows.scalar("SELECT count(*) FROM matches") == 3


async def test_a_rematch_that_fails_gives_its_scans_connection_back_at_once(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_id = await rows.event()
    await guest(rows, event_id, 1)
    await photo(rows, event_id, 1)

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr(stored_matches, "upsert", broken)
    # Its traceback keeps the scan from being collected.
    with pytest.raises(ZeroDivisionError) as caught:
        await rematch_event(RematchRequested(event_id=event_id), using=matcher(rows))
    pool = rows.database.engine.pool
    assert isinstance(pool, QueuePool)
    assert pool.checkedout() == 0
    assert caught.tb is not None


async def test_faces_are_compared_beside_the_threads_that_files_and_hashes_need(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_id = await rows.event()
    await guest(rows, event_id, 1)
    await photo(rows, event_id, 1)
    may_compare = threading.Event()
    begun = threading.Semaphore(0)

    def compare_when_allowed(*args: Any) -> Any:
        begun.release()
        may_compare.wait(timeout=PATIENCE_SECONDS)
        return alike_pairs(*args)

    monkeypatch.setattr(compare, "alike_pairs", compare_when_allowed)
    using = matcher(rows)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    rematches = [
        asyncio.create_task(rematch_event(RematchRequested(event_id=event_id), using=using))
        for _ in range(4)
    ]
    try:
        await eventually(lambda: begun.acquire(blocking=False))
        await eventually(lambda: begun.acquire(blocking=False))
        await asyncio.wait_for(asyncio.to_thread(lambda: None), PATIENCE_SECONDS)
    finally:
        may_compare.set()
        await asyncio.gather(*rematches)


async def test_the_event_loop_goes_on_while_faces_are_compared(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_id = await rows.event()
    await guest(rows, event_id, 1)
    await photo(rows, event_id, 1)
    is_comparing, has_beaten = threading.Event(), threading.Event()
    compared = []

    def compare_once_the_loop_has_moved(*args: Any) -> Any:
        is_comparing.set()
        # On the loop itself this would wait in vain.
        compared.append(has_beaten.wait(timeout=PATIENCE_SECONDS))
        return alike_pairs(*args)

    monkeypatch.setattr(compare, "alike_pairs", compare_once_the_loop_has_moved)
    rematch = asyncio.create_task(
        rematch_event(RematchRequested(event_id=event_id), using=matcher(rows))
    )

    async def beat() -> None:
        while not rematch.done():
            await asyncio.sleep(0.01)
            if is_comparing.is_set():
                has_beaten.set()

    await asyncio.gather(rematch, beat())
    assert compared == [True]

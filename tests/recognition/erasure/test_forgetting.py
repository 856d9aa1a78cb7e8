"""What is deleted leaves the memory of every replica, too."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI

from libs.common.database.tables import events, selfies
from libs.common.messaging.messages import EventDeleted, Message, SelfieDeleted
from services.recognition.engine.face_engine import EMBEDDED
from services.recognition.indexes.embedded import repository as face_sets
from services.recognition.indexes.embedded.index import EmbeddedIndex, SelfieCache
from tests.support.polling import eventually
from tests.support.world import World


async def publish(world: World, message: Message) -> None:
    async with world.database.unit_of_work() as unit:
        unit.publish(message)


async def test_a_replica_forgets_a_deleted_selfie_and_a_deleted_event(
    world: World, recognition: FastAPI
) -> None:
    index = recognition.state.index
    assert isinstance(index, EmbeddedIndex)
    event = await world.event()
    stays = await world.guest(event, person=1)
    guest = await world.user()
    await world.join(guest, event)
    selfie = await world.selfie(guest, "people 2")

    async def both_are_indexed() -> bool:
        return bool(
            await world.scalar("SELECT count(*) = 2 FROM selfie_indexes WHERE status = 'done'")
        )

    await eventually(both_are_indexed)
    photo = await world.photo(event, "people 1 2")

    async def matched() -> bool:
        return await world.matches(event) == {(stays, photo), (guest, photo)}

    await eventually(matched)
    assert selfie in index.knows(event)
    await world.delete(selfies, selfie)
    await publish(
        world, SelfieDeleted(event_id=event, user_id=guest, selfie_id=selfie, object_key="k")
    )
    await eventually(lambda: len(index.knows(event)) == 1)
    await world.delete(events, event)
    await publish(world, EventDeleted(event_id=event))
    await eventually(lambda: index.knows(event) == [])


@pytest.mark.parametrize("message", ["of the selfie", "of the event", "lost"])
async def test_what_is_deleted_while_it_is_read_is_not_kept(
    world: World, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    event, guest = await world.event(), await world.user()
    selfie = await world.insert_selfie(guest)
    embedding = b"\0" * 2 * EMBEDDED.embedding_size
    await world.index(
        selfie, event, guest, status="done", engine=EMBEDDED.name, embedding=embedding
    )
    is_read, may_go_on = asyncio.Event(), asyncio.Event()
    load = face_sets.load_selfies

    async def load_and_wait(*args: Any, **options: Any) -> Any:
        loaded = await load(*args, **options)
        is_read.set()
        await may_go_on.wait()
        return loaded

    monkeypatch.setattr(face_sets, "load_selfies", load_and_wait)
    cache = SelfieCache(engine=EMBEDDED)
    reading = asyncio.create_task(cache.current(world.database, event))
    await is_read.wait()
    await world.delete(selfies, selfie)
    match message:
        case "of the selfie":
            cache.forget(event, selfie)
        case "of the event":
            cache.forget(event)
        case "lost":
            cache.forget_all()
    may_go_on.set()
    assert len(await reading) == 1
    assert cache.knows(event) == []
    assert len(await cache.current(world.database, event)) == 0

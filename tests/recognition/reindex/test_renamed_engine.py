"""A release makes other numbers of faces under another name, and takes over what is there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

from prometheus_client import REGISTRY
from sqlalchemy import select

from libs.common.database.tables import faces, photos, selfie_indexes, selfies
from libs.common.resources import Resources
from services.recognition.engine.face_engine import to_bytes
from services.recognition.partitions.repository import announce
from services.recognition.reindex.feeder import Feeder, ReindexLimits
from services.recognition.reindex.repository import lead
from services.recognition.settings import RecognitionSettings
from tests.recognition.two_engines import is_settled, running_engine
from tests.support.odd_engines import EMBEDDED
from tests.support.polling import eventually
from tests.support.rows import Rows
from tests.support.scripted_engine import embedding_of
from tests.support.world import World

#: What releases stored that had one name for the setting and for what made the numbers.
OLD = "embedded"
#: Whom all faces and selfies are like, by numbers of the old name.
LIKE_ALL_FACES, LIKE_ALL_SELFIES = 8, 9


async def as_the_release_before_left_it(world: World) -> None:
    for table in (photos, faces, selfie_indexes, selfies):
        await world.execute(table.update().values(engine=OLD))
    face, selfie = (to_bytes(embedding_of(who)) for who in (LIKE_ALL_FACES, LIKE_ALL_SELFIES))
    await world.execute(faces.update().values(embedding=face))
    for table in (selfie_indexes, selfies):
        await world.execute(table.update().values(embedding=selfie))


@asynccontextmanager
async def nothing_fed(world: World) -> AsyncIterator[None]:
    """As while a replica of the release before is alive."""
    async with world.database.unit_of_work() as unit:
        await eventually(partial(lead, unit.connection))
        yield


async def names_in_use(world: World) -> set[str | None]:
    names: set[str | None] = set()
    async with world.database.read() as connection:
        for table in (photos, faces, selfie_indexes):
            names |= set(await connection.scalars(select(table.c.engine).distinct()))
    return names


async def test_an_event_of_the_old_name_gets_the_new_one_and_keeps_its_lists_meanwhile(
    world: World, settings: RecognitionSettings, resources: Resources
) -> None:
    event = await world.event()
    guests = {person: await world.guest(event, person) for person in (1, 2)}
    shown = {
        await world.photo(event, f"people {' '.join(map(str, people))}"): people
        for people in ((1,), (1, 2), (2, 3), ())
    }
    truth = {
        (guest, photo)
        for person, guest in guests.items()
        for photo, people in shown.items()
        if person in people
    }
    async with running_engine(EMBEDDED, settings, resources):
        await eventually(partial(is_settled, world, EMBEDDED))
    await as_the_release_before_left_it(world)
    async with AsyncExitStack() as stack:
        mixed_time = await stack.enter_async_context(AsyncExitStack())
        await mixed_time.enter_async_context(nothing_fed(world))
        await stack.enter_async_context(running_engine(EMBEDDED, settings, resources))
        # While both releases run: whoever comes now is compared with what has the new name.
        late = await world.guest(event, LIKE_ALL_FACES)
        new = await world.photo(event, f"people 1 {LIKE_ALL_FACES} {LIKE_ALL_SELFIES}")

        async def both_are_done() -> bool:
            done = (await world.photo_row(new)).processing_status == "done"
            return done and bool(
                await world.scalar(
                    "SELECT count(*) FROM selfie_indexes WHERE user_id = :id AND status = 'done'",
                    id=late,
                )
            )

        await eventually(both_are_done)
        assert await world.matches(event) == truth | {(late, new)}
        assert await names_in_use(world) == {OLD, EMBEDDED}

        await mixed_time.aclose()

        async def nothing_is_lost_until_it_is_done() -> bool:
            matches = await world.matches(event)
            assert truth | {(late, new)} <= matches <= truth | {(late, new), (guests[1], new)}
            return await is_settled(world, EMBEDDED)

        await eventually(nothing_is_lost_until_it_is_done)
    assert await names_in_use(world) == {EMBEDDED}
    assert await world.matches(event) == truth | {(late, new), (guests[1], new)}


async def test_how_much_is_left_is_a_gauge(rows: Rows) -> None:
    event = await rows.event()
    for _ in range(2):
        guest = await rows.person(joined=event)
        selfie = await rows.insert_selfie(guest)
        await rows.index(selfie, event, guest, status="done", engine=OLD)
    for _ in range(2):
        await rows.insert_photo(event, processing_status="done", engine=OLD)
    async with rows.database.unit_of_work() as unit:
        await announce(unit.connection, "one", lease_seconds=60, engine=EMBEDDED)
    limits = ReindexLimits(photos_at_once=1, lease_seconds=60, patience_seconds=60)
    feeding = asyncio.create_task(Feeder(rows.database, engine=EMBEDDED, limits=limits).run())

    def left() -> list[float | None]:
        return [
            REGISTRY.get_sample_value("findme_reindex_waiting", {"kind": kind})
            for kind in ("photo", "selfie")
        ]

    try:
        # Nobody takes what is sent; of two selfies one was on its way when it was counted.
        await eventually(lambda: left() == [2, 1])
    finally:
        feeding.cancel()
        with suppress(asyncio.CancelledError):
            await feeding

"""The operators' gauges of what waits for recognition."""

import asyncio
from datetime import UTC, datetime, timedelta

from prometheus_client import REGISTRY
from sqlalchemy import insert

from libs.common import tasks
from libs.common.database.tables import external_collections, face_removals, photos
from services.gallery import metrics
from services.gallery.operations.waiting_work import watch_waiting_work
from tests.gallery.world import World
from tests.support.polling import eventually


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def seen(world: World) -> None:
    """Look once, at least; the service's own watcher would set what it read before."""
    await world.app.state.background.end()
    metrics.DATABASE_BYTES.set_function(lambda: -1)  # until there is an answer
    watcher = asyncio.create_task(watch_waiting_work(world.services_database, every_seconds=0.01))
    try:
        await eventually(lambda: (value("findme_database_bytes") or 0) > 0)
    finally:
        await tasks.end(watcher)


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


async def test_photos_wait_by_status_and_the_oldest_has_its_age(world: World) -> None:
    event = await world.event()
    waiting = await world.photo(event, status="queued", uploaded_at=ago(500))
    await world.photo(event, status="queued", uploaded_at=ago(20))
    await world.photo(event, status="analyzed", uploaded_at=ago(100))
    for status in ("done", "failed"):
        await world.photo(event, status=status, uploaded_at=ago(9000))
    await seen(world)
    assert value("findme_photos_waiting", status="queued") == 2
    assert value("findme_photos_waiting", status="analyzed") == 1
    assert 500 <= (value("findme_photos_oldest_seconds", status="queued") or 0) < 600
    assert 100 <= (value("findme_photos_oldest_seconds", status="analyzed") or 0) < 200
    await world.change(photos, waiting, processing_status="done")
    await seen(world)
    assert value("findme_photos_waiting", status="queued") == 1
    assert 20 <= (value("findme_photos_oldest_seconds", status="queued") or 0) < 100


async def test_a_status_in_which_nothing_waits_says_zero(world: World) -> None:
    event = await world.event()
    photo = await world.photo(event, status="queued", uploaded_at=ago(50))
    await seen(world)
    await world.change(photos, photo, processing_status="done")
    await seen(world)
    assert value("findme_photos_waiting", status="queued") == 0
    assert value("findme_photos_oldest_seconds", status="queued") == 0


async def test_a_selfie_waits_in_each_event_of_its_guest_until_it_is_done_or_failed(
    world: World,
) -> None:
    over = await world.event(expires_at=ago(60))
    events = [await world.event() for _ in range(5)]
    guest = await world.person()
    selfie = await world.insert_selfie(guest, created_at=ago(300))
    for event in [*events, over]:
        await world.join(guest, event)
    statuses = ("claimed", "indexed", "done", "failed")
    for event, status in zip(events, statuses, strict=False):
        await world.index(selfie, event, guest, status=status)
    await seen(world)
    assert value("findme_selfies_waiting") == 3
    # The guest has joined just now: nothing could wait for longer.
    assert 0 <= (value("findme_selfies_oldest_seconds") or 0) < 100


async def test_faces_and_ended_events_that_the_paid_service_must_forget_are_counted(
    world: World,
) -> None:
    event = await world.event()
    await world.execute(
        insert(external_collections), [{"event_id": event}, {"event_id": event + 1000}]
    )
    await world.execute(
        insert(face_removals),
        [
            {"event_id": event, "external_face_id": f"face-{age}", "created_at": ago(age)}
            for age in (5, 400)
        ],
    )
    await seen(world)
    assert value("findme_aws_erasures_waiting", kind="face") == 2
    assert value("findme_aws_erasures_waiting", kind="event") == 1
    assert 400 <= (value("findme_aws_erasure_oldest_seconds") or 0) < 500


async def test_the_service_watches_by_itself(world: World) -> None:
    assert world.app.state.gallery is not None
    await eventually(lambda: (value("findme_database_bytes") or 0) > 1_000_000)


async def test_the_process_tells_its_limit_of_live_streams(world: World) -> None:
    assert value("findme_live_streams_limit") == world.app.state.gallery.settings.live_streams_max

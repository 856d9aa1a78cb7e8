"""What recognition does in the background: each part is missed when it ends, and begun again."""

from typing import Any

import httpx
import pytest

from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.bus.topology import bucket_of, lane_of
from libs.common.messaging.dead_letters import repository as dead_letters
from libs.common.resources import Resources
from services.recognition.erasure import repository as removals
from services.recognition.partitions import repository as leases
from services.recognition.recovery import repository as recovery
from services.recognition.reindex import repository as reindex
from services.recognition.settings import RecognitionSettings
from tests.recognition.conftest import running_recognition
from tests.support.polling import eventually
from tests.support.supervision import Breakage, becomes_ready, becomes_unready, end_subscription
from tests.support.world import World


async def brings_a_guest_their_photo(world: World, event: int) -> None:
    guest = await world.guest(event, person=1)
    photo = await world.photo(event, "people 1")

    async def is_matched() -> bool:
        return (guest, photo) in await world.matches(event)

    await eventually(is_matched)


@pytest.mark.parametrize(
    ("task", "module", "function"),
    [
        ("reconciler", recovery, "events_with_old_photos"),
        ("reindexing", reindex, "lead"),
        ("waiting dead letters", dead_letters, "count_by_queue"),
        ("match partitions", leases, "announce"),
        ("erase external faces", removals, "left_behind"),
    ],
)
async def test_a_task_that_ends_is_missed_and_begun_again(
    world: World,
    settings: RecognitionSettings,
    resources: Resources,
    monkeypatch: pytest.MonkeyPatch,
    task: str,
    module: Any,
    function: str,
) -> None:
    breakage = Breakage()
    monkeypatch.setattr(module, function, breakage.of(getattr(module, function)))
    settings = settings.model_copy(update={"reconcile_every_seconds": 0.1})
    async with running_recognition(settings, resources) as app:
        await becomes_unready(app, task)
        breakage.is_broken = False
        await becomes_ready(app)
        await breakage.works_again()
        await brings_a_guest_their_photo(world, await world.event())


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("forgetting", "listener"),
        ("dead letters", "findme.dlq"),
        ("lane findme.analyze.{lane:02d}", "findme.analyze.{lane:02d}"),
    ],
)
async def test_a_subscription_that_ends_is_missed_and_made_again(
    world: World,
    settings: RecognitionSettings,
    resources: Resources,
    monkeypatch: pytest.MonkeyPatch,
    task: str,
    queue: str,
) -> None:
    event = await world.event()
    numbers = {"bucket": bucket_of(event), "lane": lane_of(bucket_of(event))}
    task, queue = task.format(**numbers), queue.format(**numbers)
    bus = resources.bus
    assert isinstance(bus, InProcessBus)
    breakage = Breakage(is_broken=False)
    monkeypatch.setattr(bus, "subscribe", breakage.of(bus.subscribe))
    monkeypatch.setattr(bus, "listen", breakage.of(bus.listen))
    async with running_recognition(settings, resources) as app:
        await brings_a_guest_their_photo(world, event)
        breakage.is_broken, breakage.calls_since = True, 0
        end_subscription(bus, queue)
        await becomes_unready(app, task)
        breakage.is_broken = False
        await becomes_ready(app)
        await breakage.works_again()
        await brings_a_guest_their_photo(world, event)


async def test_a_partition_that_is_not_consumed_is_told_of_and_the_face_check_still_asked(
    world: World,
    settings: RecognitionSettings,
    resources: Resources,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event = await world.event()
    bus = resources.bus
    assert isinstance(bus, InProcessBus)
    breakage = Breakage(is_broken=False)
    monkeypatch.setattr(bus, "subscribe", breakage.of(bus.subscribe))
    async with (
        running_recognition(settings, resources) as app,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        await brings_a_guest_their_photo(world, event)
        breakage.is_broken, breakage.calls_since = True, 0
        end_subscription(bus, f"findme.match.{bucket_of(event):02d}")

        async def told_of(problem: str) -> bool:
            answer = await client.get("/readyz")
            assert answer.status_code == 200, answer.text
            return problem in answer.json()["checks"]["partitions"]

        await eventually(lambda: told_of(f"match partition {bucket_of(event)} "))
        breakage.is_broken = False
        await eventually(lambda: told_of("ok"))
        await brings_a_guest_their_photo(world, event)

"""A selfie of which nothing is known yet is looked at in a lane: its partition only compares."""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from libs.common.messaging.messages import SelfieUnindexed, SelfieUploaded
from libs.common.resources import Resources
from services.recognition.app import create_app
from services.recognition.engine.face_engine import EMBEDDED, PhotoAnalysis, Purpose, to_bytes
from services.recognition.indexes.open import open_worker_pools
from services.recognition.settings import RecognitionSettings
from tests.support.engine_calls import read_calls
from tests.support.own_role import with_own_role
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.rows import Rows
from tests.support.scripted_engine import ScriptedEngine, embedding_of
from tests.support.world import World


@dataclass(frozen=True)
class HeldUp(ScriptedEngine):
    """Looks at selfies, which have no second line here, once it is told to."""

    told: Path = Path()

    def analyze(self, path: Path, purpose: Purpose = Purpose.PHOTO) -> PhotoAnalysis:
        if purpose is Purpose.SELFIE and b"the selfie" in path.read_bytes():
            wait_for(self.told)
        return super().analyze(path, purpose)


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 2 * PATIENCE_SECONDS
    while not file.exists():
        if time.monotonic() > deadline:
            raise TimeoutError("nobody told")
        time.sleep(0.01)


async def test_photos_of_its_event_do_not_wait_for_a_selfie_that_is_being_looked_at(
    settings: RecognitionSettings, resources: Resources, world: World, tmp_path: Path
) -> None:
    told, log = tmp_path / "told", tmp_path / "calls.log"
    async with (
        open_worker_pools(settings, partial(HeldUp, log=log, told=told)) as pools,
        with_own_role(resources, settings, "recognition") as its,
    ):
        app = create_app(settings, its, pools=pools)
        async with app.router.lifespan_context(app):
            event = await world.event()
            known = await world.guest(event, person=2)
            guest = await world.user()
            await world.join(guest, event)
            selfie = await world.selfie(guest, "people 1\nthe selfie", publish=False)
            message = SelfieUploaded(event_id=event, user_id=guest, selfie_id=selfie)
            async with world.database.unit_of_work() as unit:
                for _ in range(3):
                    unit.publish(message)

            async def is_in_hand() -> bool:
                return bool(
                    await world.scalar(
                        "SELECT count(*) FROM selfie_indexes WHERE status = 'claimed'"
                    )
                )

            await eventually(is_in_hand)
            photo = await world.photo(event, "people 1 2")

            async def is_matched() -> bool:
                return (known, photo) in await world.matches(event)

            await eventually(is_matched)
            assert (guest, photo) not in await world.matches(event)
            told.touch()

            async def has_come_through() -> bool:
                return (guest, photo) in await world.matches(event)

            await eventually(has_come_through)
    assert len([call for call in read_calls(log) if call.name == "the selfie"]) == 1


@pytest.mark.usefixtures("recognition")
async def test_a_selfie_that_was_indexed_meanwhile_is_matched_all_the_same(world: World) -> None:
    event, guest = await world.event(), await world.user()
    photo = await world.photo(event, "people 1")
    await world.join(guest, event)
    selfie = await world.selfie(guest, "people 1", publish=False)
    # Who indexed it told its partition, and that was lost; the message is a replayed one.
    await Rows(world.database).index(
        selfie, event, guest, status="indexed", engine=EMBEDDED.name,
        embedding=to_bytes(embedding_of(1)),
    )  # fmt: skip
    message = SelfieUnindexed(event_id=event, user_id=guest, selfie_id=selfie)
    async with world.database.unit_of_work() as unit:
        unit.publish(message)

    async def is_matched() -> bool:
        done = "SELECT count(*) FROM selfie_indexes WHERE status = 'done'"
        return bool(await world.scalar(done)) and await world.matches(event) == {(guest, photo)}

    await eventually(is_matched)


@pytest.mark.usefixtures("recognition")
async def test_a_selfie_that_was_taken_before_anybody_asked_which_way_up_it_is_matches_nobody(
    world: World,
) -> None:
    event, guest = await world.event(), await world.user()
    await world.join(guest, event)
    await world.selfie(guest, "sideways 1")

    async def has_failed() -> bool:
        return bool(await world.scalar("SELECT min(status) FROM selfie_indexes") == "failed")

    await eventually(has_failed)
    assert await world.matches(event) == set()

import asyncio

from libs.common.resources import Resources
from services.recognition.partitions.leases import announce, withdraw
from services.recognition.recovery.reconcile import BATCH, reconcile
from services.recognition.selfies.claims import ClaimOutcome, claim_selfie
from services.recognition.settings import RecognitionSettings
from tests.recognition.conftest import running_recognition
from tests.support.polling import eventually
from tests.support.world import World


async def claim(world: World, selfie: int, event: int, by: str, lease: float = 60) -> ClaimOutcome:
    async with world.database.unit_of_work() as unit:
        found = await claim_selfie(
            unit.connection,
            selfie_id=selfie,
            event_id=event,
            claimant=by,
            lease_seconds=lease,
            replica_lease_seconds=60,
        )
        return found.outcome


async def live(world: World, *replicas: str) -> None:
    async with world.database.unit_of_work() as unit:
        for replica in replicas:
            await announce(unit.connection, replica, lease_seconds=60)


async def test_of_many_replicas_at_once_one_claims_the_selfie(world: World) -> None:
    event, user = await world.event(), await world.user()
    await world.join(user, event)
    selfie = await world.selfie(user, "people 1", publish=False)
    replicas = [f"replica {number}" for number in range(8)]
    await live(world, *replicas)
    outcomes = await asyncio.gather(
        *(claim(world, selfie, event, by=replica) for replica in replicas)
    )
    assert sorted(outcomes) == [ClaimOutcome.BUSY] * 7 + [ClaimOutcome.CLAIMED]


async def test_a_dead_replicas_claim_is_taken_over_as_soon_as_it_is_known_to_be_dead(
    world: World,
) -> None:
    event, user = await world.event(), await world.user()
    await world.join(user, event)
    selfie = await world.selfie(user, "people 1", publish=False)
    await live(world, "dead", "other")
    assert await claim(world, selfie, event, by="dead") == ClaimOutcome.CLAIMED
    assert await claim(world, selfie, event, by="other") == ClaimOutcome.BUSY
    async with world.database.unit_of_work() as unit:
        await withdraw(unit.connection, "dead")
    assert await claim(world, selfie, event, by="other") == ClaimOutcome.CLAIMED


async def test_a_claim_is_taken_over_after_its_lease_though_its_replica_lives(
    world: World,
) -> None:
    event, user = await world.event(), await world.user()
    await world.join(user, event)
    selfie = await world.selfie(user, "people 1", publish=False)
    await live(world, "slow", "other")
    assert await claim(world, selfie, event, by="slow") == ClaimOutcome.CLAIMED
    assert await claim(world, selfie, event, by="other") == ClaimOutcome.BUSY
    assert await claim(world, selfie, event, by="other", lease=0) == ClaimOutcome.CLAIMED


async def test_a_deleted_selfie_or_one_of_another_event_cannot_be_claimed(world: World) -> None:
    event, user = await world.event(), await world.user()
    selfie = await world.selfie(user, "people 1", publish=False)
    assert await claim(world, selfie, event, by="a") == ClaimOutcome.GONE
    assert await claim(world, selfie + 1, event, by="a") == ClaimOutcome.GONE


async def test_work_whose_message_was_lost_is_found_and_finished(
    world: World, settings: RecognitionSettings, resources: Resources
) -> None:
    event, user = await world.event(), await world.user()
    await world.join(user, event)
    photo = await world.photo(event, "people 1", publish=False)
    await world.selfie(user, "people 1", publish=False)
    async with running_recognition(settings, resources, keeps_messages=False):

        async def matched() -> bool:
            return await world.matches(event) == {(user, photo)}

        await eventually(matched)


async def test_young_work_is_left_to_its_message(world: World, resources: Resources) -> None:
    event = await world.event()
    await world.photo(event, "people 1", publish=False)
    found = await reconcile(resources.database, older_than_seconds=60)
    assert (found.photos, found.selfies) == (0, 0)


async def test_more_than_one_batch_of_lost_work_is_found_once_each(
    world: World, resources: Resources
) -> None:
    event, user = await world.event(), await world.user()
    await world.join(user, event)
    await world.selfie(user, "people 1", publish=False)
    async with resources.database.unit_of_work() as unit:
        await unit.connection.exec_driver_sql(
            "INSERT INTO photos (event_id, filename, original_filename, content_type, sha256,"
            " crc32, size_bytes, width, height)"
            f" SELECT {event}, 'p' || n, 'p', 'image/jpeg', '', 0, 1, 1, 1"
            f" FROM generate_series(1, {BATCH + 5}) n"
        )
    found = await reconcile(resources.database, older_than_seconds=0)
    assert (found.photos, found.selfies) == (BATCH + 5, 1)

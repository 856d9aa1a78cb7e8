import asyncio

from services.recognition.partitions.repository import announce, withdraw
from services.recognition.selfies.repository import ClaimOutcome, claim_selfie
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

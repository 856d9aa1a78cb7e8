import asyncio

from services.recognition.photos.claims import AnalysisSlots
from tests.support.polling import PATIENCE_SECONDS


async def test_a_suspect_is_analysed_alone_and_others_side_by_side() -> None:
    slots = AnalysisSlots(3)
    running: set[str] = set()
    seen: list[frozenset[str]] = []

    async def analyse(name: str, *, alone: bool) -> None:
        async with slots.all() if alone else slots.one(1, 1):
            running.add(name)
            seen.append(frozenset(running))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            running.discard(name)

    names = [f"photo {number}" for number in range(9)]
    suspects = {names[2], names[3], names[7]}
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(analyse(name, alone=name in suspects))

    assert len(seen) == len(names)
    assert max(map(len, seen)) > 1
    assert all(len(together) == 1 for together in seen if together & suspects)


async def test_a_suspect_that_gives_up_waiting_leaves_all_slots_free() -> None:
    slots = AnalysisSlots(2)
    async with slots.one(1, 1):
        waiting = asyncio.create_task(slots.all().__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(PATIENCE_SECONDS), slots.all():
        pass


async def test_events_take_turns_however_many_photos_each_has_in_hand() -> None:
    slots = AnalysisSlots(2)
    analysed: list[tuple[int, int]] = []

    async def analyse(event: int, photo: int) -> None:
        async with slots.one(event, photo):
            analysed.append((event, photo))
            await asyncio.sleep(0)

    small = [(2, number) for number in range(3)]
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        for number in reversed(range(20)):
            group.create_task(analyse(1, number))
        await asyncio.sleep(0)
        for event, number in small:
            group.create_task(analyse(event, number))
    assert max(map(analysed.index, small)) < 10
    # Two began before anybody waited; of the others the oldest came first.
    large = [number for event, number in analysed if event == 1]
    assert large == [19, 18, *range(18)]

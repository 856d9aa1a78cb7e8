import asyncio
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pytest

from libs.common.accounts.statuses import Statuses

KEPT_SECONDS = 5.0


@dataclass(frozen=True)
class Named:
    user_id: int


@dataclass
class Rows:
    """What is asked, which a test may hold, fail or change."""

    found: dict[uuid.UUID, Named] = field(default_factory=dict)
    asked: list[set[uuid.UUID]] = field(default_factory=list)
    now: float = 0.0
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None

    async def load(self, keys: Collection[uuid.UUID]) -> Mapping[uuid.UUID, Named]:
        self.asked.append(set(keys))
        found = {key: self.found[key] for key in keys if key in self.found}
        self.is_asked.set()
        await self.may_answer.wait()
        if self.error:
            raise self.error
        return found

    def statuses(self, *, kept_at_most: int = 100) -> Statuses[Named]:
        return Statuses(
            self.load, kept_seconds=KEPT_SECONDS, kept_at_most=kept_at_most, clock=lambda: self.now
        )

    def add(self, user_id: int = 1) -> uuid.UUID:
        key = uuid.uuid4()
        self.found[key] = Named(user_id)
        return key


@pytest.fixture
def rows() -> Rows:
    rows = Rows()
    rows.may_answer.set()
    return rows


async def test_it_is_asked_once_in_five_seconds(rows: Rows) -> None:
    statuses, key = rows.statuses(), rows.add()
    assert await statuses.of(key) == Named(1)
    rows.now = KEPT_SECONDS - 0.001
    del rows.found[key]
    assert await statuses.of(key) == Named(1)
    rows.now = KEPT_SECONDS
    assert await statuses.of(key) is None
    assert len(rows.asked) == 2


async def test_one_that_has_ended_is_not_asked_for_at_each_request(rows: Rows) -> None:
    statuses, key = rows.statuses(), uuid.uuid4()
    assert [await statuses.of(key) for _ in range(3)] == [None] * 3
    assert len(rows.asked) == 1


async def test_what_is_kept_is_as_old_as_its_question_not_as_its_answer(rows: Rows) -> None:
    statuses, key = rows.statuses(), rows.add()
    rows.may_answer.clear()
    asked = asyncio.ensure_future(statuses.of(key))
    await rows.is_asked.wait()
    rows.now = KEPT_SECONDS
    rows.may_answer.set()
    await asked
    await statuses.of(key)
    assert len(rows.asked) == 2


async def test_all_who_wait_are_asked_for_in_one_statement(rows: Rows) -> None:
    statuses = rows.statuses()
    first, others = rows.add(), [rows.add(number) for number in range(2, 50)]
    rows.may_answer.clear()
    waiting = [asyncio.ensure_future(statuses.of(first))]
    await rows.is_asked.wait()
    waiting += [asyncio.ensure_future(statuses.of(key)) for key in [first, *others, *others]]
    await asyncio.sleep(0)
    rows.may_answer.set()
    await asyncio.gather(*waiting)
    assert rows.asked == [{first}, set(others)]


@pytest.mark.parametrize("misses_messages", [False, True])
async def test_what_is_forgotten_is_asked_for_again(rows: Rows, *, misses_messages: bool) -> None:
    statuses, key, other = rows.statuses(), rows.add(1), rows.add(2)
    await statuses.of(key)
    await statuses.of(other)
    del rows.found[key]
    if misses_messages:
        statuses.forget_all()
    else:
        statuses.forget_user(1)
    assert await statuses.of(key) is None
    assert await statuses.of(other) == Named(2)
    assert len(rows.asked) == (4 if misses_messages else 3)


@pytest.mark.parametrize("misses_messages", [False, True])
async def test_an_answer_from_before_a_change_is_not_kept(
    rows: Rows, *, misses_messages: bool
) -> None:
    statuses, key = rows.statuses(), rows.add()
    rows.may_answer.clear()
    before = asyncio.ensure_future(statuses.of(key))
    await rows.is_asked.wait()
    del rows.found[key]
    if misses_messages:
        statuses.forget_all()
    else:
        statuses.forget_user(1)
    after = asyncio.ensure_future(statuses.of(key))
    await asyncio.sleep(0)
    rows.may_answer.set()
    assert await before == Named(1)
    assert await after is None
    assert await statuses.of(key) is None


async def test_what_is_forgotten_by_its_key_keeps_the_others_that_are_asked_for(rows: Rows) -> None:
    statuses, key, other = rows.statuses(), rows.add(1), rows.add(2)
    rows.may_answer.clear()
    waiting = [asyncio.ensure_future(statuses.of(one)) for one in (key, other)]
    await rows.is_asked.wait()
    statuses.forget(key)
    rows.may_answer.set()
    assert await asyncio.gather(*waiting) == [Named(1), Named(2)]
    assert statuses.known(key) is None
    assert statuses.known(other) is not None


async def test_an_error_is_everybodys_who_waits_and_is_not_kept(rows: Rows) -> None:
    statuses, key = rows.statuses(), rows.add()
    rows.error = ConnectionError("away")
    answers = await asyncio.gather(*(statuses.of(key) for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionError] * 3
    rows.error = None
    assert await statuses.of(key) == Named(1)


async def test_who_goes_away_takes_nobody_with_them(rows: Rows) -> None:
    statuses, key = rows.statuses(), rows.add()
    rows.may_answer.clear()
    leaves, stays = (asyncio.ensure_future(statuses.of(key)) for _ in range(2))
    await rows.is_asked.wait()
    leaves.cancel()
    await asyncio.wait([leaves])
    rows.may_answer.set()
    assert await stays == Named(1)


async def test_only_so_many_are_kept_the_oldest_goes(rows: Rows) -> None:
    statuses = rows.statuses(kept_at_most=2)
    keys = [rows.add(number) for number in range(3)]
    for key in keys:
        await statuses.of(key)
    await statuses.of(keys[2])
    await statuses.of(keys[1])
    assert len(rows.asked) == 3
    await statuses.of(keys[0])
    assert len(rows.asked) == 4


async def test_closing_ends_what_is_being_asked(rows: Rows) -> None:
    statuses, key = rows.statuses(), rows.add()
    rows.may_answer.clear()
    waits = asyncio.ensure_future(statuses.of(key))
    await rows.is_asked.wait()
    await statuses.close()
    await asyncio.wait([waits])
    assert waits.cancelled()

"""Workers are played here: each share's tasks take so long, and time is counted, not waited for."""

import heapq

import pytest

from libs.common.workers.line import CREDIT_SECONDS, LONG, Line, Share, Turn

PHOTOS = Share("photos", 3)
GUESTS = Share("guests", 4)
VISITORS = Share("visitors", 2, gives_way=True)
TAKES = {PHOTOS: 0.5, GUESTS: 0.1, VISITORS: 0.05}
WORKERS = 2


class Played:
    """Workers on a line whose tasks are numbers; some shares are never without one."""

    def __init__(self, *shares: Share, takes: dict[Share, float] = TAKES) -> None:
        self.now = 0.0
        self.line: Line[int] = Line(
            (PHOTOS, GUESTS, VISITORS), workers=WORKERS, clock=lambda: self.now
        )
        self.worked = dict.fromkeys(TAKES, 0.0)
        self.began: dict[tuple[Share, int], float] = {}
        self._always = shares
        self._takes = takes
        self._number = 0
        self._free = WORKERS
        self._ends: list[tuple[float, int, Turn[int]]] = []
        for share in shares:
            self.come(share)

    def come(self, share: Share) -> tuple[Share, int]:
        self._number += 1
        self.line.join(share, self._number)
        return share, self._number

    def until(self, moment: float) -> None:
        while True:
            self._begin()
            if not self._ends or self._ends[0][0] > moment:
                break
            self.now, _, turn = heapq.heappop(self._ends)
            self.line.done(turn)
            self.worked[turn.share] += self._takes[turn.share]
            self._free += 1
        self.now = moment

    def _begin(self) -> None:
        while self._free and (turn := self.line.next()):
            if turn.share in self._always:
                self.come(turn.share)
            self._free -= 1
            self.began[turn.share, turn.task] = self.now
            heapq.heappush(self._ends, (self.now + self._takes[turn.share], turn.task, turn))

    def share_of(self, share: Share) -> float:
        return self.worked[share] / sum(self.worked.values())


def test_photos_have_a_third_of_the_workers_time_whatever_else_waits() -> None:
    played = Played(PHOTOS, GUESTS, VISITORS)
    played.until(100)
    assert played.share_of(PHOTOS) == pytest.approx(3 / 9, abs=0.02)
    assert played.share_of(GUESTS) == pytest.approx(4 / 9, abs=0.02)
    assert played.share_of(VISITORS) == pytest.approx(2 / 9, abs=0.02)


def test_no_worker_idles_while_anything_waits() -> None:
    alone = Played(VISITORS)
    alone.until(100)
    assert alone.worked[VISITORS] == pytest.approx(100 * WORKERS, rel=0.01)


def test_a_share_that_nobody_else_wants_falls_to_the_others() -> None:
    played = Played(PHOTOS, VISITORS)
    played.until(100)
    assert played.share_of(PHOTOS) == pytest.approx(3 / 5, abs=0.02)


def test_whoever_comes_now_and_then_comes_first() -> None:
    played = Played(GUESTS, VISITORS)
    waited = []
    for second in range(1, 100):
        played.until(second)
        photo = played.come(PHOTOS)
        played.until(second + 0.5)
        waited.append(played.began[photo] - second)
    assert max(waited) <= TAKES[GUESTS]


def test_checks_are_not_behind_thousands_of_photos() -> None:
    played = Played(PHOTOS)
    played.until(50)
    checks = [played.come(GUESTS) for _ in range(100)]
    played.until(70)
    ended = max(played.began[check] for check in checks)
    # 10 s of work, of which they have 4/7 of two workers.
    assert ended - 50 == pytest.approx(10 * 7 / 4 / WORKERS, abs=1.5)


def test_whoever_was_away_for_long_does_not_have_all_workers_afterwards() -> None:
    played = Played(PHOTOS)
    played.until(1000)
    before = played.worked[PHOTOS]
    for _ in range(1000):
        played.come(GUESTS)
    played.until(1010)
    fair = 10 * WORKERS * 3 / 7
    assert played.worked[PHOTOS] - before >= fair - CREDIT_SECONDS - TAKES[PHOTOS]


def test_the_wait_is_told_from_the_length_of_the_line_and_what_tasks_take() -> None:
    played = Played(PHOTOS)
    assert played.line.wait_seconds(GUESTS) == 0
    played.until(50)
    for _ in range(100):
        told = played.line.wait_seconds(GUESTS)
        last = played.come(GUESTS)
    played.until(100)
    assert told == pytest.approx(played.began[last] - 50, rel=0.5)


def test_what_is_given_up_or_did_nothing_costs_its_share_no_time() -> None:
    line: Line[int] = Line((PHOTOS, GUESTS), workers=1)
    line.join(GUESTS, 1)
    line.leave(GUESTS, 1)
    line.leave(GUESTS, 1)
    assert line.waiting(GUESTS) == 0
    for number in range(10):
        line.join(GUESTS, number)
        turn = line.next()
        assert turn is not None
        line.done(turn, was_work=False)
    line.join(PHOTOS, 1)
    line.join(GUESTS, 2)
    first, second = line.next(), line.next()
    assert first is not None
    assert second is not None
    assert {first.share, second.share} == {PHOTOS, GUESTS}
    assert line.next() is None


def test_whose_tasks_are_long_leaves_a_worker_to_the_others_where_it_gives_way() -> None:
    played = Played(VISITORS, takes=TAKES | {VISITORS: 5 * LONG * TAKES[PHOTOS]})
    played.come(PHOTOS)
    played.until(100)
    for _ in range(20):
        played.until(played.now + 1.1)
        photo = played.come(PHOTOS)
        now = played.now
        played.until(now + 0.6)
        assert played.began[photo] == now
    assert played.worked[VISITORS] > 0.9 * 100


def test_on_a_machine_where_all_tasks_are_slow_no_worker_is_left_idle() -> None:
    slow = {share: 20 * seconds for share, seconds in TAKES.items()}
    played = Played(VISITORS, takes=slow)
    played.come(PHOTOS)
    played.until(1000)
    assert sum(played.worked.values()) > 0.98 * 1000 * WORKERS


def test_who_came_while_long_tasks_run_has_not_to_wait_for_more_of_them() -> None:
    played = Played(GUESTS, takes=TAKES | {GUESTS: 30.0})
    played.until(1)
    visitor = played.come(VISITORS)
    played.until(40)
    assert played.began[visitor] == 30

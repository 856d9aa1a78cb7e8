from datetime import UTC, datetime, timedelta

import pytest

from services.gallery.selfies.rules import SelfieInEvent, rematch_status

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=9)


def state(
    status: str | None,
    *,
    event: int = 1,
    matched: int = 0,
    error: str | None = None,
    due: datetime = NOON,
) -> SelfieInEvent:
    finished = LATER if status in {"done", "failed"} else None
    return SelfieInEvent(event, due, status, finished, matched, error)


def test_without_a_selfie_or_an_event_nothing_runs() -> None:
    assert rematch_status([]) == {"status": "idle"}


@pytest.mark.parametrize("status", [None, "claimed", "indexed"])
def test_it_runs_while_one_event_is_not_finished(status: str | None) -> None:
    joined = [state("done", matched=3), state(status, event=2, due=LATER)]
    assert rematch_status(joined) == {
        "status": "running",
        "started_at": LATER.timestamp(),
        "matched": 0,
    }


def test_it_is_done_when_every_event_is_and_counts_all_matches() -> None:
    assert rematch_status([state("done", matched=3), state("done", event=2, matched=4)]) == {
        "status": "done",
        "finished_at": LATER.timestamp(),
        "matched": 7,
    }


def test_one_failed_event_makes_it_failed_with_the_reason() -> None:
    joined = [state("done", matched=3), state("failed", event=2, error="no face found")]
    assert rematch_status(joined) == {
        "status": "failed",
        "finished_at": LATER.timestamp(),
        "error": "no face found",
    }


def test_of_several_selfies_one_that_is_of_use_is_enough() -> None:
    joined = [state("failed", error="no face found"), state("done", matched=3)]
    assert rematch_status(joined)["status"] == "done"


def test_a_photo_that_two_selfies_find_counts_once() -> None:
    joined = [state("done", matched=3), state("done", matched=5), state("done", event=2, matched=1)]
    assert rematch_status(joined)["matched"] == 6


def test_the_same_error_of_several_selfies_is_told_once() -> None:
    joined = [state("failed", error="no face found"), state("failed", error="no face found")]
    assert rematch_status(joined)["error"] == "no face found"

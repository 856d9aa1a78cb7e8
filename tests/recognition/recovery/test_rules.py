from datetime import UTC, datetime, timedelta

from services.recognition.recovery.rules import Queued, lost_before

NOW = datetime(2026, 6, 1, 20, tzinfo=UTC)
CUTOFF = NOW - timedelta(minutes=10)
HOUR_AGO = NOW - timedelta(hours=1)


def test_of_an_empty_queue_everything_old_is_lost() -> None:
    assert lost_before(Queued(0, None), CUTOFF) == CUTOFF
    assert lost_before(Queued(0, HOUR_AGO), CUTOFF) == CUTOFF


def test_what_waits_is_not_lost_however_old_it_is() -> None:
    assert lost_before(Queued(5000, None), CUTOFF) is None


def test_what_a_later_message_has_overtaken_is_lost() -> None:
    assert lost_before(Queued(5000, HOUR_AGO), CUTOFF) == HOUR_AGO


def test_young_work_is_in_somebodys_hands() -> None:
    assert lost_before(Queued(5000, NOW), CUTOFF) == CUTOFF

from libs.common.errors import InvalidInput, Unavailable
from services.ingest.photos.outcomes import (
    MAX_NAMED_FILES,
    Rejected,
    error_if_nothing_kept,
    summary,
)
from services.ingest.photos.store_photo import Kept

QUEUED = Kept("a.jpg", "queued", "a1", 1)
DUPLICATE = Kept("b.jpg", "duplicate", "b1", 2)
REFUSED = Rejected("c.jpg", "The file is empty.")
FAILED = Rejected("d.jpg", "Send it again.", is_ours=True)


def test_one_kept_file_makes_the_request_a_success() -> None:
    assert error_if_nothing_kept([REFUSED, FAILED, QUEUED]) is None
    assert error_if_nothing_kept([DUPLICATE]) is None


def test_no_files_at_all_is_the_clients_error() -> None:
    assert isinstance(error_if_nothing_kept([]), InvalidInput)


def test_files_at_fault_are_named_with_their_reasons() -> None:
    error = error_if_nothing_kept([REFUSED])

    assert isinstance(error, InvalidInput)
    assert "c.jpg: The file is empty." in str(error)


def test_one_failure_of_ours_asks_the_client_to_come_back() -> None:
    assert isinstance(error_if_nothing_kept([REFUSED, FAILED]), Unavailable)


def test_a_sentence_does_not_name_hundreds_of_files() -> None:
    error = error_if_nothing_kept([REFUSED] * 300)

    assert str(error).count("c.jpg") == MAX_NAMED_FILES
    assert str(error).endswith("And 280 more.")


def test_the_summary_counts_each_kind() -> None:
    assert summary([QUEUED]) == "1 photo queued."
    assert (
        summary([QUEUED, QUEUED, DUPLICATE, REFUSED, FAILED])
        == "2 photos queued, 1 already uploaded, 2 not accepted."
    )

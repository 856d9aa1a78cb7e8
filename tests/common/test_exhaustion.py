"""What a machine lacks, told from what else may be wrong."""

import errno
import pickle

import pytest
from prometheus_client import REGISTRY

from libs.common.exhaustion import Exhausted, lacks, lacks_by_its_words


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk space"),
        (OSError(errno.EMFILE, "Too many open files"), "open files"),
        (OSError(errno.ENFILE, "Too many open files in system"), "open files"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory"),
        (MemoryError(), "memory"),
        (RuntimeError("can't start new thread"), "threads"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), None),
        (RuntimeError("out of memory"), None),
        (ValueError("a bug"), None),
    ],
)
def test_only_what_a_machine_lacks_is_that(error: Exception, what: str | None) -> None:
    assert lacks(error) == what
    wrapped = ValueError("damaged")
    wrapped.__cause__ = error
    assert lacks(wrapped) == what
    forgotten = ValueError("damaged")
    forgotten.__context__ = error
    assert lacks(forgotten) == what


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("vips_tracked: out of memory -- size 34MB", "memory"),
        ("VipsJpeg: Insufficient memory (case 4)", "memory"),
        ("unable to open file: Too many open files", "open files"),
        ("write error: No space left on device", "disk space"),
        ("VipsJpeg: premature end of JPEG image", None),
    ],
)
def test_what_native_libraries_say_in_words_is_read(words: str, what: str | None) -> None:
    damaged = ValueError("damaged")
    damaged.__cause__ = RuntimeError(words)
    assert lacks_by_its_words(damaged) == what


def test_a_chain_that_is_a_circle_ends() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert lacks(first) is None
    assert lacks_by_its_words(first) is None


def test_what_is_lacking_is_counted_also_when_a_worker_process_says_it() -> None:
    def counted() -> float:
        value = REGISTRY.get_sample_value("findme_exhausted_total", {"what": "disk space"})
        assert value is not None
        return value

    before = counted()
    sent = pickle.dumps(Exhausted("disk space"))
    assert counted() == before + 1
    pickle.loads(sent)
    assert counted() == before + 2


def test_what_is_lacking_is_said_to_people() -> None:
    assert str(Exhausted("disk space")).startswith("The server has no more disk space.")

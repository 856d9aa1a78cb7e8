"""How many archives are sent at once: by a process, and prepared for and sent to one account."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from libs.common.errors import TooManyRequests, Unavailable
from libs.common.telemetry.metrics import REFUSED_BY_LIMIT
from services.media.metrics import ARCHIVES_SENDING

#: A phone that goes on with a download may not have let go of its old connection yet.
PER_ACCOUNT: Final = 3
RETRY_AFTER_SECONDS: Final = 30


class ArchivePlaces:
    """The archives that this process is sending."""

    def __init__(self, *, in_all: int) -> None:
        self._in_all = in_all
        self._sent = 0
        self._by_account: Counter[int] = Counter()

    @contextmanager
    def of_account(self, user_id: int) -> Iterator[None]:
        """Have one of the account's places for the block. Raises TooManyRequests."""
        if self._by_account[user_id] >= PER_ACCOUNT:
            REFUSED_BY_LIMIT.labels("archives").inc()
            msg = "You are downloading photos already. Wait until that is done."
            raise TooManyRequests(msg, retry_after_seconds=RETRY_AFTER_SECONDS)
        self._by_account[user_id] += 1
        try:
            yield
        finally:
            self._by_account[user_id] -= 1
            if not self._by_account[user_id]:
                del self._by_account[user_id]

    @contextmanager
    def one(self) -> Iterator[None]:
        """Have one of the process's places for the block. Raises Unavailable."""
        if self._sent >= self._in_all:
            msg = "Too many people are downloading photos. Try again in a minute."
            raise Unavailable(msg, retry_after_seconds=RETRY_AFTER_SECONDS)
        self._sent += 1
        ARCHIVES_SENDING.inc()
        try:
            yield
        finally:
            ARCHIVES_SENDING.dec()
            self._sent -= 1

"""Whether a login still stands: rows of the database, kept for a few seconds.

A message about the account ends what is kept at once; without messages it ends by its age.
"""

import time
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol, TypeVar

from libs.common.database.kept_reads import KEPT_AT_MOST, KeptReads, Known
from libs.common.telemetry import metrics

#: How long a login may outlive its end where no message tells of it.
KEPT_SECONDS = 5.0


class Status(Protocol):
    """What an account may do by something that stands for it."""

    @property
    def user_id(self) -> int: ...


S = TypeVar("S", bound=Status)


class Statuses(KeptReads[uuid.UUID, S]):
    """What is known of logins, by what stands for them; None for what has ended."""

    def __init__(
        self,
        load: Callable[[Collection[uuid.UUID]], Awaitable[Mapping[uuid.UUID, S]]],
        *,
        kept_seconds: float = KEPT_SECONDS,
        kept_at_most: int = KEPT_AT_MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            load,
            name="account statuses",
            kept_seconds=kept_seconds,
            kept_at_most=kept_at_most,
            clock=clock,
        )
        self._of_user: defaultdict[int, set[uuid.UUID]] = defaultdict(set)

    def known(self, key: uuid.UUID) -> Known[S] | None:
        """Return the status if it was asked for lately."""
        known = super().known(key)
        if known is not None:
            metrics.ACCOUNT_STATUS_HITS.inc()
        return known

    def forget_user(self, user_id: int) -> None:
        """Ask again about this account, and about what is being asked at this moment."""
        # Whose they are that are being asked for is not known yet.
        self.forget_asked()
        self.forget(*self._of_user.get(user_id, ()))

    def forget_all(self) -> None:
        """Messages may have been missed."""
        super().forget_all()
        self._of_user.clear()

    def _missed(self, key: uuid.UUID) -> None:
        metrics.ACCOUNT_STATUS_MISSES.inc()

    def _keep(self, key: uuid.UUID, known: Known[S]) -> None:
        super()._keep(key, known)
        if known.value is not None:
            self._of_user[known.value.user_id].add(key)

    def _drop(self, key: uuid.UUID) -> Known[S] | None:
        dropped = super()._drop(key)
        if dropped is not None and dropped.value is not None:
            user_id = dropped.value.user_id
            keys = self._of_user[user_id]
            keys.discard(key)
            if not keys:
                del self._of_user[user_id]
        return dropped

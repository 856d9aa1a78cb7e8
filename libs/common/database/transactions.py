"""What one transaction is to those that work in it: changes, messages, and its repetition."""

from contextlib import AbstractAsyncContextManager
from types import TracebackType

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.sqlstates import is_refused, is_session_lost
from libs.common.errors import TransientError
from libs.common.messaging.bus.protocol import OutgoingMessage
from libs.common.messaging.messages import Message
from libs.common.telemetry import tracing

#: What people are told of it.
CONFLICT = "Others are changing the same at this moment. Try again in a few seconds."

log = structlog.get_logger(__name__)


class TransactionConflict(TransientError):
    """PostgreSQL gave this transaction up, as it and another one waited for each other."""


def is_given_up(error: BaseException) -> bool:
    """Whether PostgreSQL itself said that it gave the transaction up: nothing of it was kept."""
    return isinstance(error, TransactionConflict) or is_refused(error)


class UnitOfWork:
    """One transaction: state changes by `connection`, messages by `publish`.

    Both are committed together or not at all; the relay sends the messages afterwards.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.messages: list[OutgoingMessage] = []
        #: With the seconds that each has to wait.
        self.later: list[tuple[OutgoingMessage, float]] = []
        #: Recorded once the transaction has committed.
        self.spans = tracing.Pending()
        #: From here on it is not known what became of the transaction when its session is lost.
        self.is_committing = False

    def publish(self, message: Message) -> None:
        """Send the message once the transaction has committed."""
        self.messages.append(message.outgoing(headers=tracing.headers()))

    def publish_later(self, message: Message, *, seconds: float) -> None:
        """Send the message so long after the transaction has committed; it waits as a row."""
        self.later.append((message.outgoing(headers=tracing.headers()), seconds))


class Attempt:
    """One transaction of `Database.attempts`: what is to be repeated ends it quietly.

    A conflict does, unless it is the last one; so does a lost session, where it `may_lose` it.
    """

    def __init__(
        self, transaction: AbstractAsyncContextManager[UnitOfWork], *, is_last: bool, may_lose: bool
    ) -> None:
        self.is_through = False
        self.was_lost = False
        self._transaction = transaction
        self._is_last = is_last
        self._may_lose = may_lose and not is_last
        self._unit: UnitOfWork | None = None

    async def __aenter__(self) -> UnitOfWork:
        self._unit = await self._transaction.__aenter__()
        return self._unit

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        try:
            await self._transaction.__aexit__(kind, error, traceback)
        except TransactionConflict:
            if self._is_last:
                raise
            return True
        except DATABASE_ERRORS as ended:
            if not self._repeats(ended):
                raise
            return True
        # What the block raised has come through as it was.
        self.is_through = error is None
        return error is not None and self._repeats(error)

    def _repeats(self, ended: BaseException) -> bool:
        """Note a session that was ended where it may be, and nothing can have been committed."""
        is_committing = self._unit is None or self._unit.is_committing
        self.was_lost = self._may_lose and not is_committing and is_session_lost(ended)
        if self.was_lost:
            log.warning("transaction_repeated", error=ended)
        return self.was_lost

"""The database: one engine per process, and the unit of work around every state change."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from itertools import groupby
from operator import itemgetter
from typing import Self

import structlog
from sqlalchemy import QueuePool, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from libs.common.database import outbox
from libs.common.database.connections import (
    DATABASE_ERRORS,
    DatabaseSilent,
    DatabaseUnavailable,
    Limits,
    driver_of,
    open_engine,
)
from libs.common.database.kept_session import KeptSession
from libs.common.database.repeated_reads import REPEATS_READS, repeat_lost_reads
from libs.common.database.sqlstates import (
    READ_ONLY,
    drop_lost_session,
    is_conflict,
    is_session_lost,
    sqlstate,
)
from libs.common.database.transactions import CONFLICT, Attempt, TransactionConflict, UnitOfWork
from libs.common.database.turns import Turns, Use
from libs.common.settings import CommonSettings
from libs.common.telemetry import metrics, tracing

#: How often work that may be repeated is tried; the pauses grow from the first, by chance.
ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.02
#: Raised there, as by a statement that changes something: see `drop_lost_session`. Unlike such a
#: statement it waits for no lock.
_REFUSE_READ_ONLY = text(f"""
    DO $$ BEGIN
        IF pg_is_in_recovery() OR current_setting('transaction_read_only')::bool THEN
            RAISE EXCEPTION 'read-only' USING ERRCODE = '{READ_ONLY}';
        END IF;
    END $$
""")

#: Open pools, and the most connections each may have.
_pools: dict[QueuePool, int] = {}

metrics.POOL_IN_USE.set_function(lambda: sum(pool.checkedout() for pool in list(_pools)))
metrics.POOL_IDLE.set_function(lambda: sum(pool.checkedin() for pool in list(_pools)))
metrics.POOL_LIMIT.set_function(lambda: sum(list(_pools.values())))


log = structlog.get_logger(__name__)


class DatabaseReadOnly(DatabaseUnavailable):
    """The database answers reads, and takes no changes."""

    def __init__(self) -> None:
        super().__init__("The database takes no changes now: it is a standby, or set read-only.")


class Database:
    """Hands out connections; SQL lives in the repositories."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        limits: Limits,
        connections: int,
        kept: int,
        scans_at_once: int,
        turn_seconds: float,
    ) -> None:
        self.engine = engine
        self._limits = limits
        self._patient_transaction = text(
            "SET LOCAL idle_in_transaction_session_timeout ="
            f" {round(limits.patient_seconds * 1000)}"
        )
        self._scans = asyncio.Semaphore(max(scans_at_once, 1))
        self._turn_seconds = turn_seconds
        self._turns = Turns(connections, kept=kept, wait_seconds=turn_seconds)
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._reading = self._autocommit.execution_options(**{REPEATS_READS: True})
        self._repeatable = engine.execution_options(isolation_level="REPEATABLE READ")

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: CommonSettings, *, name: str = "findme") -> AsyncIterator[Self]:
        """Open an engine; `name` shows up as application_name in pg_stat_activity."""
        limits = Limits(
            connect_seconds=settings.db_connect_timeout,
            command_seconds=settings.db_command_timeout,
            patient_seconds=settings.db_patient_timeout,
            lock_seconds=settings.db_lock_timeout,
            unacknowledged_seconds=settings.db_command_timeout,
        )
        engine = open_engine(
            settings.sqlalchemy_url,
            limits,
            name=name,
            pool_size=settings.db_pool_size,
            max_overflow=settings.db_max_overflow,
            pool_recycle=settings.db_pool_recycle,
            pool_timeout=settings.db_pool_timeout,
        )
        event.listen(engine.sync_engine, "handle_error", drop_lost_session)
        repeat_lost_reads(engine.sync_engine)
        try:
            with _counted(engine.pool, limit=settings.db_connections):
                yield cls(
                    engine,
                    limits=limits,
                    connections=settings.db_connections,
                    kept=settings.db_pool_size,
                    scans_at_once=settings.db_scans_at_once,
                    turn_seconds=settings.db_pool_timeout,
                )
        finally:
            await engine.dispose()

    @property
    def answer_seconds(self) -> float:
        """Within which it is known that nobody answers: a statement, and one more connection."""
        return self._limits.command_seconds + self._limits.connect_seconds

    @property
    def lock_seconds(self) -> float:
        """How long a statement waits for what another transaction has locked."""
        return self._limits.lock_seconds

    def read(self, *, patient: bool = False) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection in autocommit: every statement sees what is committed by then.

        A statement whose session is ended under it is asked once more, of a new one, so it must
        change nothing. With `patient` it may take minutes (`CommonSettings.db_patient_timeout`),
        and is not repeated.
        """
        return self._read(patient=patient)

    def look(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection like `read`'s for a short look, of which one is kept beside all others.

        For what must not wait behind requests: readiness, and whether those who watch still may.
        """
        return self._read(patient=False, use=Use.LOOK)

    def single_statements(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection in autocommit for statements that change something, each by itself.

        They are not repeated, and send no messages.
        """
        return self._connected(self._autocommit)

    @asynccontextmanager
    async def scan(self, *, patient: bool = True) -> AsyncIterator[AsyncConnection]:
        """A connection like `read`'s, for what may take long, or is asked for by many at once.

        Only so many are had at a time that others are never kept waiting by them, readiness
        above all (`CommonSettings.db_scans_at_once`). Raises DatabaseUnavailable when it is not
        one's turn for as long as one waits for a connection.
        """
        async with self._turn(), self._read(patient=patient, use=Use.SCAN) as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A scan all of whose reads see the same moment; rows can be streamed from it."""
        async with (
            self._turn(),
            self._connected(self._repeatable, use=Use.SCAN) as connection,
            connection.begin(),
        ):
            yield connection

    @asynccontextmanager
    async def unit_of_work(self, *, patient: bool = False) -> AsyncIterator[UnitOfWork]:
        """A READ COMMITTED transaction, committed at the end of the block.

        With `patient` a statement may take minutes, as an event's deletion does, and so may what
        is waited for between two. Raises TransactionConflict when PostgreSQL gives it up for
        another one.
        """
        began = time.time_ns()
        try:
            async with (
                self._connected(self.engine, patient=patient) as connection,
                connection.begin(),
            ):
                if patient:
                    await connection.execute(self._patient_transaction)
                unit = UnitOfWork(connection)
                yield unit
                await outbox.append(connection, unit.messages)
                for seconds, waiting in groupby(unit.later, key=itemgetter(1)):
                    later = [message for message, _ in waiting]
                    await outbox.append(connection, later, delay_seconds=seconds)
                unit.is_committing = True
        except DBAPIError as error:
            if not is_conflict(error):
                raise
            metrics.TRANSACTION_CONFLICTS.inc()
            raise TransactionConflict(CONFLICT) from error
        unit.spans.record()
        tracing.past("transaction", began, time.time_ns())

    async def attempts(self, *, patient: bool = False) -> AsyncIterator[Attempt]:
        """Yield units of work, until one commits, for work that may be repeated as a whole.

        Written as a loop, of which the block is what is repeated:

            async for attempt in database.attempts():
                async with attempt as unit:
                    ...

        Repeated are those that PostgreSQL gave up for another one (TransactionConflict is raised
        when the last one was, too), and, once, one whose session was ended before its commit was
        asked for. What became of a commit without an answer is not known: the error is raised.
        The block must not leave the loop by itself (`return`, `break`): whether it is through is
        known at its end.
        """
        may_lose = True
        for number in range(1, ATTEMPTS + 1):
            attempt = Attempt(
                self.unit_of_work(patient=patient), is_last=number == ATTEMPTS, may_lose=may_lose
            )
            yield attempt
            if attempt.is_through:
                return
            may_lose = may_lose and not attempt.was_lost
            await asyncio.sleep(random.uniform(0.5, 1.5) * FIRST_PAUSE_SECONDS * 2**number)  # noqa: S311 - no secret

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._turn_seconds):
                await self._scans.acquire()
        except TimeoutError as error:
            msg = "Too much is being read from the database. Try again in a few seconds."
            raise DatabaseUnavailable(msg) from error
        try:
            yield
        finally:
            self._scans.release()

    @asynccontextmanager
    async def kept_session(self, *, idle_seconds: float) -> AsyncIterator[KeptSession]:
        """A session of one's own, to hold a lock or to listen, until the block ends.

        The server ends it when nothing was asked for `idle_seconds`: what a session holds that
        was lost on the way is free then. It is asked something more often than that.
        """
        async with self._connected(self._autocommit) as connection:
            try:
                yield await KeptSession.begin(connection, idle_seconds=idle_seconds)
            finally:
                # A pooled session would keep its locks and its listeners.
                await connection.invalidate()

    def _read(
        self, *, patient: bool, use: Use = Use.OTHER
    ) -> AbstractAsyncContextManager[AsyncConnection]:
        engine = self._autocommit if patient else self._reading
        return self._connected(engine, patient=patient, use=use)

    @asynccontextmanager
    async def _connected(
        self, engine: AsyncEngine, *, patient: bool = False, use: Use = Use.OTHER
    ) -> AsyncIterator[AsyncConnection]:
        """A connection of the pool; how long it took to get is measured."""
        started = time.perf_counter()
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._turns.one(use))
                connection = await stack.enter_async_context(_connection(engine))
            except PoolTimeout:
                metrics.POOL_TIMEOUTS.inc()
                raise
            except TimeoutError as error:
                msg = "The database does not take connections. Try again in a few seconds."
                raise DatabaseSilent(msg) from error
            metrics.POOL_WAIT_SECONDS.observe(time.perf_counter() - started)
            if patient:
                driver = await driver_of(connection)
                driver.allow(self._limits.patient_seconds)
                stack.callback(driver.allow, self._limits.command_seconds)
            yield connection

    async def check(self) -> None:
        """Raise the driver's error when the database cannot be used now."""
        async with self._connected(self._autocommit, use=Use.LOOK) as connection:
            await connection.execute(text("SELECT 1"))

    async def check_primary(self) -> None:
        """Like `check`, and raise DatabaseReadOnly when nothing can be changed there.

        Then the pool's sessions are given up: new ones may reach another server.
        """
        try:
            async with self._connected(self._autocommit, use=Use.LOOK) as connection:
                await connection.execute(_REFUSE_READ_ONLY)
        except DBAPIError as error:
            if sqlstate(error) == READ_ONLY:
                raise DatabaseReadOnly from error
            raise


@asynccontextmanager
async def _connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection; a session that is ended while it begins is begun once more."""
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(engine.connect())
        except DATABASE_ERRORS as error:
            if not is_session_lost(error):
                raise
            log.warning("connection_repeated", error=error)
            connection = await stack.enter_async_context(engine.connect())
        yield connection


@contextmanager
def _counted(pool: object, *, limit: int) -> Iterator[None]:
    """Count a pool for the length of the block."""
    if not isinstance(pool, QueuePool):
        yield
        return
    _pools[pool] = limit
    try:
        yield
    finally:
        del _pools[pool]

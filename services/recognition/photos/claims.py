"""Whose turn a photo is: claims among all replicas, and slots within this one."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from enum import Enum, auto
from functools import partial
from typing import Final

import structlog

from libs.common.database.database import Database
from libs.common.database.sqlstates import is_away
from libs.common.exhaustion import lacks
from services.recognition.photos import repository
from services.recognition.photos.repository import PhotoRow
from services.recognition.renewal import renewed

log = structlog.get_logger(__name__)


class Holder(Enum):
    """Who has a photo in hand."""

    NOBODY = auto()
    #: A process that is alive, or that may still be: it has not been silent for long enough.
    WORKING = auto()
    #: A process that died with it.
    DEAD = auto()


class AnalysisClaims:
    """The photos that this process has in hand; each claim is in the photo's row.

    A claim holds while its replica is seen to live, and for its lease, which is renewed. Only the
    death of its process is held against a photo: neither a claim that ran out, nor one that this
    process could not give back as the database was away.
    """

    def __init__(
        self,
        database: Database,
        *,
        claimant: str,
        lease_seconds: float,
        replica_lease_seconds: float,
    ) -> None:
        """`claimant` is the replica's name, by which others know whether it lives."""
        self.replica_lease_seconds: Final = replica_lease_seconds
        self._database = database
        self.claimant: Final = claimant
        self._lease_seconds = lease_seconds
        self._in_hand: set[int] = set()
        #: Ours no more, although their rows still say so.
        self._to_give_back: set[int] = set()
        self._giving_back = asyncio.Lock()

    async def count_as_lost(self) -> None:
        """At the start of a process that takes its predecessor's name: what that one had in hand.

        Where every process has a name of its own, the next claimant counts it.
        """
        async for attempt in self._database.attempts():
            async with attempt as unit:
                await repository.lose_claims(unit.connection, self.claimant)

    async def holder_of(self, photo: PhotoRow) -> Holder:
        """Say who has the photo in hand, by its row as it was just read."""
        if photo.claimed_by is None or photo.claimed_at is None:
            return Holder.NOBODY
        if photo.claimed_by == self.claimant:
            return Holder.WORKING if photo.id in self._in_hand else Holder.NOBODY
        async with self._database.read() as connection:
            state = await repository.claim_state(
                connection,
                photo.claimed_by,
                photo.claimed_at,
                lease_seconds=self._lease_seconds,
                replica_lease_seconds=self.replica_lease_seconds,
            )
        if state.is_owner_dead:
            return Holder.DEAD
        return Holder.NOBODY if state.is_over else Holder.WORKING

    @asynccontextmanager
    async def taken(self, photo: PhotoRow) -> AsyncIterator[bool]:
        """Claim the photo for the length of the block; False when its row has changed meanwhile.

        The block's last transaction gives the claim back (see `repository.save_analysis`); when
        the block fails, it is given back here.
        """
        if photo.id in self._in_hand:
            yield False
            return
        self._in_hand.add(photo.id)
        try:
            if await self._take(photo):
                renew = partial(repository.renew_claim, photo_id=photo.id, claimant=self.claimant)
                async with renewed(
                    renew, database=self._database, lease_seconds=self._lease_seconds
                ):
                    yield True
            else:
                yield False
        except BaseException:
            # Also for a shutdown that cancels it: that is no fault of the photo's.
            await asyncio.shield(self.give_back(photo.id))
            raise
        finally:
            self._in_hand.discard(photo.id)

    async def give_back(self, photo_id: int) -> None:
        """Let others have the photo; where the database is away, as soon as it is back."""
        self._to_give_back.add(photo_id)
        try:
            async for attempt in self._database.attempts():
                async with attempt as unit:
                    await repository.give_back(unit.connection, [photo_id], claimant=self.claimant)
        except Exception as error:
            if not is_away(error) and lacks(error) is None:
                raise
            log.warning("claim_not_given_back", photo_id=photo_id, error=error)
        else:
            self._to_give_back.discard(photo_id)

    async def _take(self, photo: PhotoRow) -> bool:
        if self._to_give_back:
            await self._give_back_late()
        is_taken = False
        async for attempt in self._database.attempts():
            async with attempt as unit:
                is_taken = await repository.claim(unit.connection, photo, claimant=self.claimant)
        self._to_give_back.discard(photo.id)
        return is_taken

    async def _give_back_late(self) -> None:
        """Give back what could not be when it was due.

        One at a time: none of these photos is claimed anew while it is being given back, as who
        wants to waits here. One that is claimed by now is not given back.
        """
        async with self._giving_back:
            late = self._to_give_back - self._in_hand
            if not late:
                return
            async for attempt in self._database.attempts():
                async with attempt as unit:
                    await repository.give_back(
                        unit.connection, sorted(late), claimant=self.claimant
                    )
            self._to_give_back -= late


class AnalysisSlots:
    """`count` photos at a time; a suspect one waits until it is the only one.

    Events take turns: one that has many photos in hand gets no more slots than one that has a few.
    Of an event the oldest photo is the next, so that those that went ahead stay ahead.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._free = count
        #: Who waits, by event, as a heap by photo; the event whose turn is next is the first.
        self._waiting: dict[int | None, list[tuple[int, int, asyncio.Future[None]]]] = {}
        self._numbers = itertools.count()
        self._alone = asyncio.Lock()

    @asynccontextmanager
    async def one(self, event_id: int, photo_id: int) -> AsyncIterator[None]:
        """Hold one slot for the length of the block."""
        async with self._slot(event_id, photo_id):
            yield

    @asynccontextmanager
    async def all(self) -> AsyncIterator[None]:
        """Hold every slot for the length of the block."""
        # Of two that collect slots one by one, each would wait for the other's.
        async with self._alone, AsyncExitStack() as held:
            for _ in range(self._count):
                await held.enter_async_context(self._slot(None, 0))
            yield

    @asynccontextmanager
    async def _slot(self, whose: int | None, photo_id: int) -> AsyncIterator[None]:
        if self._free:
            self._free -= 1
        else:
            await self._wait(whose, photo_id)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, whose: int | None, photo_id: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = self._waiting.setdefault(whose, [])
        heapq.heappush(line, (photo_id, next(self._numbers), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was given at the same moment
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            whose = next(iter(self._waiting))
            line = self._waiting.pop(whose)
            _, _, turn = heapq.heappop(line)
            if line:
                self._waiting[whose] = line  # behind all others
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

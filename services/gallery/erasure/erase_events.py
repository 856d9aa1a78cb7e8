"""Erases events after their grace period, and announces that before; one replica at a time.

Rows go a few at a time, each time in a transaction of its own: killed at any moment, it goes on
where it was. Objects, collections and what is in memory go by the same messages as those of an
event that is deleted.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import NoReturn

import structlog

from libs.common.database.audit import Action, record
from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import FindMeError
from libs.common.messaging.messages import EventChanged, EventDeleted
from libs.common.telemetry.questions import Question
from services.gallery import metrics
from services.gallery.erasure import repository
from services.gallery.erasure.repository import Due
from services.gallery.mail.queue import queue_mail
from services.gallery.settings import DELETE_AGAIN_SECONDS

#: Between two looks; an event that is due before is erased at its moment.
LOOK_EVERY_SECONDS = 60.0
LOOK_AT_MOST_EVERY_SECONDS = 0.5
#: Photos with their faces and matches, or selfies of an index, in one transaction: others wait for
#: what it locks no longer than for a guest's own deletion.
ROWS_AT_ONCE = 500
NOTICES_AT_ONCE = 200

log = structlog.get_logger(__name__)


class _Step(Enum):
    """What a transaction did."""

    NOTHING = auto()
    SOME = auto()
    ERASED = auto()


@dataclass(frozen=True, slots=True)
class _Done:
    step: _Step
    photos: int = 0
    event_id: int = 0


@dataclass(frozen=True, slots=True)
class EventEraser:
    """One in each replica, of which one works at a time."""

    database: Database
    grace: timedelta
    #: How long before it is announced; zero: never.
    notice: timedelta
    rows_at_once: int = ROWS_AT_ONCE

    async def run(self) -> NoReturn:
        """Erase and announce what is due, until cancelled."""
        question = Question("event erasure")
        while True:
            pause = LOOK_EVERY_SECONDS
            try:
                await self.announce()
                await self.erase()
                pause = await self._look(question)
            except (FindMeError, *DATABASE_ERRORS) as error:
                log.warning("event_erasure_failed", error=type(error).__name__)
            await asyncio.sleep(pause)

    async def erase(self) -> int:
        """Erase all events that are due; return how many it finished."""
        erased = 0
        while (done := await self._once()).step is not _Step.NOTHING:
            metrics.EVENT_PHOTOS_ERASED.inc(done.photos)
            if done.step is _Step.ERASED:
                metrics.EVENTS_ERASED.inc()
                erased += 1
                log.info("event_erased", event_id=done.event_id)
        return erased

    async def announce(self) -> int:
        """Queue the mails that are due; return how many people were told."""
        told = 0
        if not self.notice:
            return told
        while count := await self._announce_some():
            told += count
        return told

    async def _once(self) -> _Done:
        done = _Done(_Step.NOTHING)
        async for attempt in self.database.attempts(patient=True):
            async with attempt as unit:
                done = _Done(_Step.NOTHING)
                if await repository.lead(unit.connection):
                    due = await repository.take_due_event(unit.connection, grace=self.grace)
                    if due is not None:
                        done = await self._erase_some(due, unit)
        return done

    async def _erase_some(self, due: Due, unit: UnitOfWork) -> _Done:
        connection, event_id = unit.connection, due.event_id
        if not due.goes_on:
            await repository.begin(connection, event_id)
            # Whoever runs it is shown nothing more of it, from cache or list.
            unit.publish(EventChanged(event_id=event_id))
            return _Done(_Step.SOME)
        photos = await repository.delete_photos(connection, event_id, limit=self.rows_at_once)
        if photos:
            return _Done(_Step.SOME, photos)
        if await repository.delete_selfie_indexes(connection, event_id, limit=self.rows_at_once):
            return _Done(_Step.SOME)
        await repository.finish(connection, event_id)
        await record(connection, Action.EVENT_ERASED, actor_id=None, event_id=event_id)
        message = EventDeleted(event_id=event_id)
        unit.publish(message)
        unit.publish_later(message, seconds=DELETE_AGAIN_SECONDS)
        return _Done(_Step.ERASED, event_id=event_id)

    async def _announce_some(self) -> int:
        count = 0
        async for attempt in self.database.attempts(patient=True):
            async with attempt as unit:
                count = 0
                if await repository.lead(unit.connection):
                    notices = await repository.take_notices(
                        unit.connection,
                        grace=self.grace,
                        notice=self.notice,
                        limit=NOTICES_AT_ONCE,
                    )
                    for one in notices:
                        await queue_mail(
                            unit.connection,
                            one.template,
                            user_id=one.user_id,
                            values=one.values,
                        )
                    count = len(notices)
        return count

    async def _look(self, question: Question) -> float:
        """Show what is left, and return for how long there is nothing to do."""
        async with self.database.read(patient=True) as connection:
            left = await repository.backlog(connection, grace=self.grace)
        question.answer(
            {
                metrics.EVENTS_TO_ERASE: left.events,
                metrics.EVENTS_TO_ERASE_OLDEST: left.overdue_seconds,
            },
            again_in_seconds=LOOK_EVERY_SECONDS,
        )
        if left.next_in_seconds is None:
            return LOOK_EVERY_SECONDS
        return min(LOOK_EVERY_SECONDS, max(LOOK_AT_MOST_EVERY_SECONDS, left.next_in_seconds))

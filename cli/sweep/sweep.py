"""Compares the store with the database, and puts right what differs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

from backup.repository import still_named
from cli.sweep import repository
from cli.sweep.rules import (
    DELETED,
    LOST_FILES,
    LOST_REASON,
    Findings,
    Kind,
    Lost,
    NamedByRow,
    Odd,
    Stray,
    differences,
    source_key,
)
from libs.common.database.database import Database
from libs.common.messaging.messages import PhotoFailed
from libs.common.storage.keys import event_prefix
from libs.common.storage.protocol import ListedObject, ObjectNotFound, ObjectStore

T = TypeVar("T")

#: So many findings are looked at again, and put right, in one go.
BATCH = 500
REQUESTS_AT_ONCE = 16
#: So many keys of lost files are told.
TOLD = 10


class Progress(Protocol):
    """Is told how far the work has come."""

    def advance(self, count: int) -> None:
        """So many objects and findings more were looked at."""


class Sweep:
    """One comparison of all, or of one event; as often as wanted, beside running services.

    An upload writes its object before its row: what is younger than `older_than` is left alone.
    What differs is looked at again before it counts, and before anything is done to it.
    """

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        progress: Progress,
        *,
        event_id: int | None,
        older_than: timedelta,
    ) -> None:
        self._database = database
        self._store = store
        self._progress = progress
        self._event_id = event_id
        self._before = datetime.now(UTC) - older_than

    async def run(self, *, repair: bool) -> Findings:
        """Go through everything once; return what was found, or what was put right of it."""
        findings = Findings()
        batch: list[Stray | Lost | Odd] = []
        async with aclosing(differences(self._objects(), self._rows())) as found:
            async for each in found:
                self._progress.advance(1)
                if each is None or isinstance(each, Odd):
                    findings.belonging += 1
                if each is None:
                    continue
                batch.append(each)
                if len(batch) == BATCH:
                    await self._settle(batch, findings, repair=repair)
                    batch.clear()
        await self._settle(batch, findings, repair=repair)
        await self._settle_uploads(findings, repair=repair)
        return findings

    def _objects(self) -> AsyncIterator[ListedObject]:
        prefix = "" if self._event_id is None else event_prefix(self._event_id)
        return self._store.list(prefix)

    async def _rows(self) -> AsyncIterator[NamedByRow]:
        async for row in repository.named_in_events(self._database, self._event_id):
            yield row
        if self._event_id is None:
            async for row in repository.named_by_selfies(self._database):
                yield row

    async def _settle(
        self, batch: Sequence[Stray | Lost | Odd], findings: Findings, *, repair: bool
    ) -> None:
        strays = []
        for each in batch:
            if isinstance(each, Stray):
                if each.found.modified_at < self._before:
                    strays.append(each)
                else:
                    findings.young.add(each.found.size_bytes)
        await self._settle_strays(strays, findings, repair=repair)
        await self._settle_odd(
            [each for each in batch if isinstance(each, Odd)], findings, repair=repair
        )
        lost = [each for each in batch if isinstance(each, Lost)]
        are_there = await _at_once([self._is_there(each.row.key) for each in lost])
        await self._settle_lost(
            [each for each, is_there in zip(lost, are_there, strict=True) if not is_there],
            findings,
            repair=repair,
        )

    async def _settle_strays(
        self, strays: Sequence[Stray], findings: Findings, *, repair: bool
    ) -> None:
        nobodys = [each for each in strays if each.kind not in {Kind.OUTDATED_COPY, Kind.UNKNOWN}]
        sources = {source_key(each.found.key) for each in nobodys}
        async with self._database.read(patient=True) as connection:
            named = await still_named(connection, [*sources]) if sources else set()
        strays = [
            each
            for each in strays
            if each.kind is Kind.OUTDATED_COPY or source_key(each.found.key) not in named
        ]
        if repair:
            strays = [each for each in strays if each.kind in DELETED]
            await _at_once([self._store.delete(each.found.key) for each in strays])
        for each in strays:
            findings.by_kind[each.kind].add(each.found.size_bytes)

    async def _settle_lost(self, lost: Sequence[Lost], findings: Findings, *, repair: bool) -> None:
        if repair:
            lost = await self._mark(
                [each for each in lost if each.kind is Kind.PHOTO_WITHOUT_OBJECT]
            )
        for each in lost:
            findings.by_kind[each.kind].add(each.row.size_bytes)
            if each.kind in LOST_FILES and len(findings.lost_keys) < TOLD:
                findings.lost_keys.append(each.row.key)

    async def _settle_odd(self, odd: Sequence[Odd], findings: Findings, *, repair: bool) -> None:
        if repair:
            odd = [each for each in odd if each.kind is Kind.FOUND_AGAIN]
            waiting = await self._analyse_again([each.row.row_id for each in odd])
            odd = [each for each in odd if each.row.row_id in waiting]
        for each in odd:
            findings.by_kind[each.kind].add(each.row.size_bytes)
            if each.kind in LOST_FILES and len(findings.lost_keys) < TOLD:
                findings.lost_keys.append(each.row.key)

    async def _analyse_again(self, photo_ids: Sequence[int]) -> set[int]:
        waiting: set[int] = set()
        if photo_ids:
            async for attempt in self._database.attempts():
                async with attempt as unit:
                    waiting = await repository.mark_found(unit.connection, photo_ids, LOST_REASON)
        return waiting

    async def _mark(self, lost: Sequence[Lost]) -> list[Lost]:
        """Mark photos failed, and tell those who show them; return those that were not."""
        if not lost:
            return []
        marked: dict[int, int] = {}
        async for attempt in self._database.attempts():
            async with attempt as unit:
                marked = dict(
                    await repository.mark_lost(
                        unit.connection, [each.row.row_id for each in lost], LOST_REASON
                    )
                )
                for photo_id, event_id in marked.items():
                    unit.publish(
                        PhotoFailed(event_id=event_id, photo_id=photo_id, reason=LOST_REASON)
                    )
        return [each for each in lost if each.row.row_id in marked]

    async def _settle_uploads(self, findings: Findings, *, repair: bool) -> None:
        async for upload in self._store.unfinished():
            if self._event_id is not None and not (upload.key or "").startswith(
                event_prefix(self._event_id)
            ):
                continue
            self._progress.advance(1)
            if upload.begun_at >= self._before:
                findings.young.add(upload.size_bytes)
                continue
            if repair:
                await self._store.discard(upload)
            findings.by_kind[Kind.UNFINISHED].add(upload.size_bytes)

    async def _is_there(self, key: str) -> bool:
        try:
            await self._store.stat(key)
        except ObjectNotFound:
            return False
        return True


async def _at_once(works: Sequence[Awaitable[T]]) -> list[T]:
    turns = asyncio.Semaphore(REQUESTS_AT_ONCE)

    async def one(work: Awaitable[T]) -> T:
        async with turns:
            return await work

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(work)) for work in works]
    return [task.result() for task in tasks]

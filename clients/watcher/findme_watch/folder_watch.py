"""One watched folder: find what is new, wait until it is whole, bring it to the event."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from findme_watch import takeover
from findme_watch.delivery import Delivery, File
from findme_watch.folder import Contents, What, look_at, read_folder
from findme_watch.folder_report import FolderReport
from findme_watch.known import FINAL, UNREADABLE, Content, Known, Look, State
from findme_watch.manifest import Destination
from findme_watch.moving import move
from findme_watch.reading import Changed, Examined, examine
from findme_watch.telling import Teller
from findme_watch.telling import What as Told
from findme_watch.watching import Polling, Wakes
from findme_watch.wholeness import End, Patience, seconds_to_wait

#: Files that are read, asked about or sent at one time; the others are taken up as these end.
MAX_IN_WORK: Final = 2000
#: Two read ahead of the network, from a card that has one head.
_READERS: Final = 2
_MISSING_FOLDER_SECONDS: Final = 5.0
#: A file that cannot be read is listed after so many attempts, and tried again all the same.
_READ_ATTEMPTS: Final = 2


@dataclass(frozen=True, slots=True)
class Job:
    """A folder, the event that its photos are for, and how it is looked after."""

    folder: Path
    event_id: int
    watcher_id: int | None = None
    what: What = field(default_factory=What)
    patience: Patience = field(default_factory=Patience)
    polling: Polling = Polling.AUTO
    poll_seconds: float = 5.0
    move_to: Path | None = None
    once: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file that is not taken yet: since when it is as it is, and what its end said."""

    look: Look
    since: float
    end: End | None = None
    attempts: int = 0
    #: Why it cannot be read.
    unreadable: str | None = None


def what_of(job: Job) -> What:
    """Return which files are meant: none of those that were moved once they were sent."""
    if job.move_to is None:
        return job.what
    return replace(job.what, left_out=(*job.what.left_out, job.move_to), are_moved=True)


class FolderWatch:
    """Looks after one folder until it is cancelled; with `once` until all of it is done."""

    def __init__(
        self, job: Job, *, destination: Destination, delivery: Delivery, teller: Teller
    ) -> None:
        self._job = job
        self._what = what_of(job)
        self._destination = destination
        self._delivery = delivery
        self._report = FolderReport(job.folder, teller)
        self._wakes = Wakes(job.folder, polling=job.polling, poll_seconds=job.poll_seconds)
        self._known: dict[Path, Known] = {}
        self._seen: dict[Path, _Seen] = {}
        #: What is remembered as unreadable, and why.
        self._unreadable: dict[Path, str] = {}
        self._in_work: dict[Path, asyncio.Task[None]] = {}
        self._reading = asyncio.Semaphore(_READERS)
        self._backlog = 0
        self._error: BaseException | None = None
        #: Of the files and folders there, those that no pattern lets in.
        self.ignored = 0
        #: Why the folder cannot be looked after, None when it can.
        self.problem: str | None = None

    @property
    def not_sent(self) -> Mapping[Path, str]:
        """Photos that were not sent, and why."""
        return self._report.not_sent

    @property
    def left(self) -> int:
        """How many photos are still to be sent."""
        return self._backlog + len(self._in_work)

    async def run(self) -> None:
        """Raises Shut where that is not waited out."""
        for path, known in self._destination.known(self._job.folder).items():
            if known.look == UNREADABLE:
                self._unreadable[path] = known.reason or ""
            else:
                self._known[path] = known
        watching = asyncio.create_task(self._wakes.run())
        try:
            await self._look_again_and_again(watching)
        finally:
            self._note_run()
            self._destination.note_end(self._job.folder)
            tasks = [watching, *self._in_work.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look_again_and_again(self, watching: asyncio.Task[None]) -> None:
        is_by_event, is_polled = True, False
        while True:
            began = time.monotonic()
            due, is_done = await self._look(is_by_event=is_by_event)
            took = time.monotonic() - began
            if self._error is not None:
                raise self._error
            if self._job.once and is_done:
                return
            if watching.done() and not watching.cancelled() and watching.exception() is not None:
                watching.result()
            if not is_polled and self._wakes.polled_because is not None:
                is_polled = True
                reason = f"The folder is looked at every few seconds: {self._wakes.polled_because}."
                self._report.tell(Told.NOTICE, self._job.folder, reason)
            is_by_event = await self._wakes.rest(at_most=due, look_seconds=took)

    async def _look(self, *, is_by_event: bool) -> tuple[float | None, bool]:
        """Return when a file is due to be looked at again, and whether all of them are done."""
        try:
            contents = await asyncio.to_thread(read_folder, self._job.folder, self._what)
        except OSError as error:
            self._has_problem(f"The folder cannot be read: {error.strerror or error}.")
            return _MISSING_FOLDER_SECONDS, self._job.once
        if self.problem is not None:
            self.problem = None
            self._report.folder_is_back()
        self._note_run()
        there = contents.photos.keys() | contents.others.keys() | contents.unreadable.keys()
        self._report.only(there)
        await self._take_over(contents)
        self._list(contents)
        due = self._take(contents.photos, is_by_event=is_by_event)
        self._keep_unreadable(contents)
        self.ignored = contents.ignored
        await self._move_sent(contents.photos)
        self._report.left(self.left)
        waiting = [path for path in self._seen if path not in self.not_sent]
        return due, not self._in_work and not waiting and not self._backlog

    def _take(self, photos: Mapping[Path, Look], *, is_by_event: bool) -> float | None:
        """Begin with the photos that are whole, the oldest first; return when others may be."""
        self._seen = {path: seen for path, seen in self._seen.items() if path in photos}
        now, clock = time.monotonic(), time.time()
        due: float | None = None
        has_new = False
        ready: list[tuple[int, Path, Look]] = []
        for path, look in photos.items():
            known = self._known.get(path)
            if path in self._in_work:
                continue
            if known is not None and known.look == look and known.state in FINAL:
                if known.state is State.REFUSED:
                    self._report.refused(path, known.reason)
                continue
            seen = self._seen.get(path)
            if seen is None or seen.look != look:
                has_new = has_new or seen is None
                seen = self._seen[path] = _Seen(look, now)
                self._report.is_to_come(path)
            age = clock - look.mtime_ns / 1e9
            wait = seconds_to_wait(now - seen.since, age, seen.end, self._job.patience)
            if wait > 0:
                due = wait if due is None else min(due, wait)
            else:
                ready.append((look.mtime_ns, path, look))
        if has_new:
            self._wakes.found_new(by_event=is_by_event)
        ready.sort()
        room = max(0, MAX_IN_WORK - len(self._in_work))
        self._backlog = max(0, len(ready) - room)
        for _, path, look in ready[:room]:
            self._in_work[path] = asyncio.create_task(self._bring(path, look))
        return due

    async def _bring(self, path: Path, look: Look) -> None:
        """A file's way, from its first byte to the event."""
        try:
            await self._bring_whole(path, look)
        except Changed:
            pass  # the next look sees it as it is then
        except OSError as error:
            self._cannot_read(path, look, error)
        except Exception as error:  # noqa: BLE001 - it ends the folder's watch, which raises it
            self._error = self._error or error
        finally:
            self._in_work.pop(path, None)
            if not self._in_work or (self._backlog and len(self._in_work) == MAX_IN_WORK // 2):
                self._wakes.wake()
            self._report.left(self.left)

    async def _bring_whole(self, path: Path, look: Look) -> None:
        sha256 = await self._content_of(path, look)
        if sha256 is None:
            return
        content = self._destination.content(sha256)
        if content is not None:
            self._finish(path, Known(look, content.state, sha256, content.reason), content)
            if content.state is State.REFUSED:
                self._report.refused(path, content.reason)
            else:
                reason = "Its content was sent before, under this or another name."
                self._report.tell(Told.DUPLICATE, path, reason, content.photo_id)
            return
        file = File(path, look, sha256)
        if self._job.dry_run:
            await self._would_send(file)
            return
        delivered = await self._delivery.bring(file)
        content = delivered.content
        self._finish(path, Known(look, content.state, sha256, content.reason), content)
        self._report.delivered(path, delivered)

    async def _content_of(self, path: Path, look: Look) -> str | None:
        """Return the SHA-256 of a file that is whole, None where its end is still waited for."""
        known = self._known.get(path)
        if known is not None and known.look == look and known.sha256 is not None:
            return known.sha256
        async with self._reading:
            examined = await asyncio.to_thread(examine, path, look)
        if not self._is_whole(path, look, examined):
            return None
        known = Known(look, State.READ, examined.sha256)
        self._destination.keep(path, known)
        self._known[path] = known
        return examined.sha256

    def _is_whole(self, path: Path, look: Look, examined: Examined) -> bool:
        seen = self._seen.get(path)
        if seen is None or seen.look != look:
            return False
        now, age = time.monotonic(), time.time() - look.mtime_ns / 1e9
        if seconds_to_wait(now - seen.since, age, examined.end, self._job.patience) > 0:
            self._seen[path] = replace(seen, end=examined.end, unreadable=None)
            return False
        if examined.end is End.MISSING:
            reason = "Its end is missing. It is sent all the same; the server says what it is."
            self._report.tell(Told.NOTICE, path, reason)
        return True

    def _finish(self, path: Path, known: Known, content: Content) -> None:
        self._destination.keep(path, known, content)
        self._known[path] = known
        self._seen.pop(path, None)
        self._report.is_to_come(path)

    async def _would_send(self, file: File) -> None:
        photo_id = await self._delivery.photo_id(file)
        # Known to this run alone: nothing was done about it.
        self._known[file.path] = Known(file.look, State.LISTED, file.sha256)
        self._seen.pop(file.path, None)
        self._report.would_send(file.path, photo_id)

    def _cannot_read(self, path: Path, look: Look, error: OSError) -> None:
        """List it once it has failed twice: a program that writes may keep others out."""
        seen = self._seen.get(path)
        attempts = 1 if seen is None or seen.look != look else seen.attempts + 1
        is_told = attempts >= _READ_ATTEMPTS
        reason = f"It cannot be read: {error.strerror or error}." if is_told else None
        self._seen[path] = _Seen(look, time.monotonic(), End.MISSING, attempts, reason)
        if reason is not None:
            self._report.listed(path, reason, is_loss=True)

    def _list(self, contents: Contents) -> None:
        """Remember and tell what is not sent by its name, or cannot be looked at."""
        news = []
        for path, (look, not_sent) in contents.others.items():
            listed = Known(look, State.LISTED, None, not_sent.reason)
            if self._known.get(path) != listed:
                self._known[path] = listed
                news.append((path, listed))
            self._report.listed(path, not_sent.reason, is_loss=not_sent.is_loss)
        if news and not self._job.dry_run:
            self._destination.keep_all(news)
        for path, reason in contents.unreadable.items():
            self._report.listed(path, reason, is_loss=True)

    def _keep_unreadable(self, contents: Contents) -> None:
        """Have `findme-watch status` know of them."""
        found = dict(contents.unreadable)
        for path, seen in self._seen.items():
            if seen.unreadable is not None:
                found[path] = seen.unreadable
        if found != self._unreadable and not self._job.dry_run:
            self._destination.keep_unreadable(found, self._unreadable)
            self._unreadable = found

    async def _take_over(self, there: Contents) -> None:
        """Believe an earlier watcher's manifest, where there is one that was not read yet."""
        file = self._job.folder / takeover.NAME
        if self._report.has_told_of(file):
            return
        try:
            written_at = (await asyncio.to_thread(look_at, file)).mtime_ns / 1e9
            text = await asyncio.to_thread(file.read_text, "utf-8-sig")
            entries = takeover.parse(text)
        except FileNotFoundError:
            return
        except (OSError, UnicodeError, takeover.UnreadableManifest) as error:
            self._report.notice(file, f"The earlier watcher's list is not used: {error}.")
            return
        unknown = {p: look for p, look in there.photos.items() if p not in self._known}
        found = takeover.taken_over(entries, self._job.folder, unknown, written_at=written_at)
        contents_sent = takeover.contents_sent(entries)
        if self._destination.take_over(file, found, contents_sent):
            self._known.update(found)
            told = f"{len(found)} files were sent by the earlier watcher, and are not sent again."
            others = contents_sent - {known.sha256 for _, known in found}
            if others:
                told += f" {len(others)} more are known by their content, under any name."
            self._report.notice(file, told)
        else:
            self._report.notice(file, "It is another event's, and is not used.")

    async def _move_sent(self, photos: Mapping[Path, Look]) -> None:
        if self._job.move_to is None or self._job.dry_run:
            return
        for path, look in photos.items():
            known = self._known.get(path)
            if known is None or known.state is not State.SENT or known.look != look:
                continue
            try:
                target = await asyncio.to_thread(move, path, self._job.folder, self._job.move_to)
            except OSError as error:
                reason = f"It was sent, and cannot be moved: {error.strerror or error}."
                self._report.problem(path, reason)
            else:
                self._report.tell(Told.MOVED, path, f"to {target}")

    def _note_run(self) -> None:
        self._destination.note_run(self._job.folder, self.problem or self._delivery.problem)

    def _has_problem(self, reason: str) -> None:
        self.problem = reason
        self._note_run()
        self._report.problem(self._job.folder, reason)

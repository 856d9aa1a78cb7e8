"""Agent mode: the server says which folders of this machine are watched, and hears how they are.

What is changed there (folder, pause, where sent photos go) holds here within seconds. Without the
server the folders are watched on as it last said.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from findme_watch.folder_watch import FolderWatch, Job
from findme_watch.moving import target_of
from findme_watch.server import AskedWatcher, NotNow, Refused, Server, Shut, Stumbled
from findme_watch.telling import Event, Teller, What

#: Between two questions; the server takes a watcher that was silent for two minutes for gone.
BEAT_SECONDS: Final = 15.0

#: Makes the watch of a job.
NewWatch = Callable[[Job], FolderWatch]


@dataclass(slots=True)
class _Running:
    job: Job
    watch: FolderWatch
    task: asyncio.Task[None]


class Agent:
    """Watches the folders that the server names for one machine."""

    def __init__(
        self, label: str, template: Job, *, server: Server, new_watch: NewWatch, teller: Teller
    ) -> None:
        self._label = label
        self._template = template
        self._server = server
        self._new_watch = new_watch
        self._teller = teller
        self._running: dict[int, _Running] = {}
        #: By watcher: folders that cannot be watched, and why.
        self._problems: dict[int, str] = {}
        self._told_problems: dict[int, str] = {}
        self._told: str | None = None

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            while True:
                await self._beat()
                await asyncio.sleep(BEAT_SECONDS)
        finally:
            await self._stop(list(self._running))

    async def _beat(self) -> None:
        try:
            asked = await self._server.watchers(self._label)
            await self._follow(asked)
            await self._report(asked)
        except (NotNow, Stumbled, Shut, Refused) as error:
            self._tell(f"The server does not say what to watch: {error}")
        else:
            none = f"The server names no folder for the machine {self._label}."
            self._tell(None if asked else f"{none} Add a watcher with this machine label there.")

    async def _follow(self, asked: list[AskedWatcher]) -> None:
        """Start, stop and change watches as the server says."""
        self._problems = {}
        wanted: dict[int, Job] = {}
        for one in asked:
            if not one.listening:
                continue
            try:
                wanted[one.id] = job_of(one, self._template)
            except (ValueError, RuntimeError) as error:  # the latter of `~somebody`
                self._problems[one.id] = str(error)
        self._tell_problems()
        await self._stop(
            [number for number, one in self._running.items() if wanted.get(number) != one.job]
        )
        for number, job in wanted.items():
            if number not in self._running:
                watch = self._new_watch(job)
                self._running[number] = _Running(job, watch, asyncio.create_task(watch.run()))
                self._teller.tell(Event(What.NOTICE, job.folder, "is watched now."))

    async def _report(self, asked: list[AskedWatcher]) -> None:
        for one in asked:
            running = self._running.get(one.id)
            if running is None:
                problem = self._problems.get(one.id)
                if problem is not None:
                    await self._server.heartbeat(one.id, problem)
                continue
            if running.task.done():
                # It never ends by itself: what ended it is raised here, and ends the agent.
                running.task.result()
            await self._server.heartbeat(one.id, running.watch.problem)

    async def _stop(self, numbers: list[int]) -> None:
        stopped = [self._running.pop(number) for number in numbers]
        for one in stopped:
            one.task.cancel()
        await asyncio.gather(*(one.task for one in stopped), return_exceptions=True)
        for one in stopped:
            self._teller.tell(Event(What.NOTICE, one.job.folder, "is not watched any more."))

    def _tell_problems(self) -> None:
        for number, problem in self._problems.items():
            if self._told_problems.get(number) != problem:
                reason = f"Watcher {number}: {problem}"
                self._teller.tell(Event(What.PROBLEM, reason=reason))
        self._told_problems = self._problems

    def _tell(self, problem: str | None) -> None:
        if problem is not None and problem != self._told:
            self._teller.tell(Event(What.PROBLEM, reason=problem))
        self._told = problem


def job_of(asked: AskedWatcher, template: Job) -> Job:
    """Return what is to be done for a watcher. Raises ValueError for a path that is none here."""
    if not asked.path:
        msg = "No folder is set for it (expected_path)."
        raise ValueError(msg)
    folder = Path(asked.path).expanduser()
    if not folder.is_absolute():
        msg = f"Its folder must be an absolute path on this machine, and is {asked.path}."
        raise ValueError(msg)
    return replace(
        template,
        folder=folder,
        event_id=asked.event_id,
        watcher_id=asked.id,
        move_to=target_of(folder, asked.move_to) if asked.move_to else None,
    )

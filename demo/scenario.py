"""FindMe's main job, as its users do it: photos come in, selfies come in, guests get theirs."""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from demo.api import Api, ApiError
from libs.common import tasks

#: Connections of the photographer's browser.
UPLOAD_CONNECTIONS = 4
POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest with a selfie; a late one sends it after the photos."""

    name: str
    selfie: Path
    late: bool = False
    #: File names of the photos they are in, where that is known.
    truth: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the scenario happens: an event, its code and its photographer's account."""

    base_url: str
    event_id: int
    event_code: str
    photographer: str
    password: str
    transport: httpx.AsyncBaseTransport | None = None

    def api(self) -> Api:
        """Return a new caller."""
        return Api(self.base_url, transport=self.transport)


@dataclass(frozen=True, slots=True)
class GuestResult:
    """What a guest got, beside the truth."""

    name: str
    found: frozenset[str]
    truth: frozenset[str] | None

    @property
    def correct(self) -> int:
        """Photos of the guest that they got."""
        return len(self.found & (self.truth or frozenset()))


@dataclass(slots=True)
class Result:
    """What happened, and how fast; times in seconds."""

    photos: int
    upload_seconds: float = 0.0
    total_seconds: float = 0.0
    guests: list[GuestResult] = field(default_factory=list)
    #: From the start of a photo's upload to a guest's live stream naming it.
    match_latencies: list[float] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    duplicates: int = 0
    failed: int = 0

    @property
    def photos_per_second(self) -> float:
        """Photos through the whole job, upload included."""
        return self.photos / self.total_seconds

    @property
    def precision(self) -> float:
        """Share of the answers that are right; 1 when there are none."""
        answered = sum(len(guest.found) for guest in self.guests if guest.truth is not None)
        return sum(guest.correct for guest in self.guests) / answered if answered else 1.0

    @property
    def recall(self) -> float:
        """Share of the true appearances that were answered; 1 when there are none."""
        true = sum(len(guest.truth or ()) for guest in self.guests)
        return sum(guest.correct for guest in self.guests) / true if true else 1.0

    @property
    def median_latency(self) -> float:
        """Median of the match latencies; 0 when no guest saw a photo arrive."""
        return statistics.median(self.match_latencies) if self.match_latencies else 0.0

    @property
    def worst_latency(self) -> float:
        """Largest of the match latencies; 0 when no guest saw a photo arrive."""
        return max(self.match_latencies, default=0.0)


#: Called with the number of photos finished so far.
Progress = Callable[[int], None]


async def run_scenario(
    place: Place,
    photos: Sequence[Path],
    guests: Sequence[Guest],
    *,
    password: str,
    progress: Progress = lambda _: None,
    timeout_seconds: float = 1800,
) -> Result:
    """Register the guests, upload everything, wait until all is matched, and list.

    Raises TimeoutError when the job is not done in time, ApiError when a request is refused.
    """
    run = _Run(place, password, Result(photos=len(photos)))
    async with asyncio.timeout(timeout_seconds), AsyncExitStack() as stack:
        photographer = await stack.enter_async_context(place.api())
        await photographer.login(place.photographer, place.password)
        before = await run.finished_photos(photographer)
        callers = [await run.register(stack, guest) for guest in guests]
        await asyncio.gather(
            *(
                caller.upload_selfie(guest.selfie)
                for guest, caller in zip(guests, callers, strict=True)
                if not guest.late
            )
        )
        listeners = [await run.listen(stack, caller) for caller in callers]
        started = time.perf_counter()
        watcher = asyncio.create_task(run.watch(photographer, before, len(photos), progress))
        try:
            await run.upload(photographer, photos)
            run.result.upload_seconds = time.perf_counter() - started
            for guest, caller in zip(guests, callers, strict=True):
                if guest.late:
                    await caller.upload_selfie(guest.selfie)
            await watcher
            await asyncio.gather(*(run.selfie_matched(caller) for caller in callers))
            run.result.total_seconds = time.perf_counter() - started
        finally:
            await tasks.end(watcher, *listeners)
        for guest, caller in zip(guests, callers, strict=True):
            listed = await caller.get(f"/api/user/events/{place.event_id}/photos")
            found = frozenset(photo["original_filename"] for photo in listed)
            run.result.guests.append(GuestResult(guest.name, found, guest.truth))
    return run.result


@dataclass(slots=True)
class _Run:
    """The state of one run."""

    place: Place
    password: str
    result: Result
    upload_started: dict[int, float] = field(default_factory=dict)
    seen: dict[int, float] = field(default_factory=dict)

    async def register(self, stack: AsyncExitStack, guest: Guest) -> Api:
        caller = await stack.enter_async_context(self.place.api())
        await caller.register(guest.name, self.password, self.place.event_code)
        await caller.login(guest.name, self.password)
        return caller

    async def listen(self, stack: AsyncExitStack, caller: Api) -> asyncio.Task[None]:
        """Note when the guest's live stream names a photo."""
        stream = await stack.enter_async_context(caller.live(self.place.event_id))

        async def note() -> None:
            async for event in stream:
                if event.name == "photo.matched":
                    self._saw(event.data["photo_id"])

        return asyncio.create_task(note())

    def _saw(self, photo_id: int) -> None:
        if photo_id in self.seen:
            return
        self.seen[photo_id] = time.perf_counter()
        if photo_id in self.upload_started:
            self._count_latency(photo_id)

    def _count_latency(self, photo_id: int) -> None:
        latency = self.seen[photo_id] - self.upload_started[photo_id]
        self.result.match_latencies.append(latency)

    async def upload(self, photographer: Api, photos: Sequence[Path]) -> None:
        waiting = iter(photos)

        async def connection() -> None:
            for path in waiting:
                started = time.perf_counter()
                try:
                    answer = await photographer.upload_photos(self.place.event_id, [path])
                except ApiError as error:
                    if error.status != httpx.codes.BAD_REQUEST:
                        raise
                    self.result.rejected.append(str(error))
                    continue
                for job in answer["jobs"]:
                    self.result.duplicates += job["status"] == "duplicate"
                    self.upload_started[job["photo_id"]] = started
                    # A quick match may be announced before the upload's answer arrives.
                    if job["photo_id"] in self.seen:
                        self._count_latency(job["photo_id"])

        async with asyncio.TaskGroup() as group:
            for _ in range(UPLOAD_CONNECTIONS):
                group.create_task(connection())

    async def finished_photos(self, photographer: Api) -> int:
        answer = await photographer.get(f"/api/photographer/events/{self.place.event_id}/progress")
        self.result.failed = answer["failed"]
        return int(answer["done"] + answer["failed"])

    async def watch(
        self, photographer: Api, before: int, expected: int, progress: Progress
    ) -> None:
        """Report progress until as many photos are finished as were accepted."""
        while True:
            finished = await self.finished_photos(photographer) - before
            progress(finished)
            if finished >= expected - len(self.result.rejected) - self.result.duplicates:
                return
            await asyncio.sleep(POLL_SECONDS)

    async def selfie_matched(self, caller: Api) -> None:
        while True:
            status = await caller.get("/api/rematch-status")
            if status["status"] != "running":
                return
            await asyncio.sleep(POLL_SECONDS)

"""Services as processes that are killed, frozen, and started again like pods."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import httpx

from libs.common import tasks
from tests.support.polling import eventually
from tests.support.services import GuardedProcess, free_port

START_SECONDS = 60.0
#: A process that ends by itself is started again after this.
RESTART_SECONDS = 0.2
SUPERVISE_SECONDS = 0.05
SCRIPTED_RECOGNITION = "tests.support.scripted_recognition"


class Service:
    """One service; while it is wanted, a process that ends is replaced by a new one."""

    def __init__(
        self, name: str, module: str, *, environment: Mapping[str, str], folder: Path
    ) -> None:
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{name}.log"
        self.starts = 0
        #: Held by a fault for as long as it has the process in its hands.
        self.in_hands = asyncio.Lock()
        self._module = module
        self._environment = {**environment, "PORT": str(self.port)}
        self._process: GuardedProcess | None = None
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process's id while there is one."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start, and have it started again whenever it ends; see `is_up`."""
        await self._spawn()
        self._supervisor = asyncio.create_task(self._supervise(), name=f"supervise {self.name}")

    async def stop(self) -> None:
        """SIGTERM, and wait until it is gone; it does not come back."""
        await self._let_go()
        process, self._process = self._process, None
        if process is not None:
            await asyncio.to_thread(process.stop)

    async def end(self) -> None:
        """SIGKILL, for good."""
        await self._let_go()
        await self.kill()
        self._process = None

    async def kill(self) -> None:
        """SIGKILL the process and its workers; unless it was let go it comes back."""
        if self._process is not None:
            await asyncio.to_thread(self._process.kill)

    def freeze(self) -> None:
        """SIGSTOP: it answers nobody, and does not know that time passes."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    async def is_up(self) -> bool:
        """Whether it is ready for requests, with all that it needs."""
        try:
            async with httpx.AsyncClient(timeout=3) as client:
                return (await client.get(f"{self.url}/readyz")).is_success
        except httpx.HTTPError:
            return False

    async def up(self, *, timeout: float = START_SECONDS) -> None:
        """Wait until it is up."""
        await eventually(
            self.is_up,
            timeout=timeout,
            message=lambda: f"{self.name} is not up; its log ends with:\n{self.tail()}",
        )

    def last_logged(self, event: str) -> str:
        """The time (ISO 8601) of the last record of the event, empty when there is none."""
        times = [record["timestamp"] for record in self._records() if record["event"] == event]
        return max(times, default="")

    def tail(self, lines: int = 15) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _records(self) -> list[dict[str, str]]:
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            # What the interpreter itself says, and the last line of a killed process, is no JSON.
            with suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return [record for record in found if isinstance(record, dict) and "event" in record]

    async def _spawn(self) -> None:
        self.starts += 1
        self._process = await asyncio.to_thread(
            GuardedProcess,
            [sys.executable, "-m", self._module],
            log=self.log,
            env=self._environment,
        )

    async def _supervise(self) -> None:
        while True:
            await asyncio.sleep(SUPERVISE_SECONDS)
            if self._process is not None and self._process.has_ended:
                await asyncio.to_thread(self._process.kill)  # closes the pipe to its guard
                await asyncio.sleep(RESTART_SECONDS)
                await self._spawn()

    async def _let_go(self) -> None:
        if self._supervisor is not None:
            await tasks.end(self._supervisor)


class Fleet:
    """The services of one deployment; ends them all at the end of the block."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.environment = dict(environment)
        self.services: list[Service] = []
        self._folder = folder
        folder.mkdir()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(service.end() for service in self.services))

    async def add(self, name: str, module: str, **environment: str) -> Service:
        """Start a service; it may not be up yet."""
        service = Service(
            name, module, environment=self.environment | environment, folder=self._folder
        )
        self.services.append(service)
        await service.start()
        return service

    async def add_recognition(self, count: int) -> list[Service]:
        """Start replicas of recognition with the scripted engine, and wait until they are up."""
        replicas = [
            await self.add(f"recognition-{len(self.services) + 1}", SCRIPTED_RECOGNITION)
            for _ in range(count)
        ]
        await self.all_up()
        return replicas

    async def all_up(self) -> None:
        """Wait until every service is up."""
        deadline = time.monotonic() + START_SECONDS
        for service in self.services:
            await service.up(timeout=max(deadline - time.monotonic(), 1.0))

    async def stop(self) -> None:
        """SIGTERM to all, so that everything in hand is settled or handed back."""
        await asyncio.gather(*(service.stop() for service in self.services))

    def tails(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"== {service.name}\n{service.tail()}" for service in self.services)

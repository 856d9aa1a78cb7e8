"""What runs in the background of a service: broken, missed in its readiness, and well again."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI

from libs.common.messaging.bus.in_process import InProcessBus
from tests.support.polling import eventually


@dataclass
class Breakage:
    """Something that fails until it is healed, with an error that nobody expects."""

    is_broken: bool = True
    calls_since: int = 0

    def of(self, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def broken_at_times(*args: Any, **options: Any) -> Any:
            if self.is_broken:
                raise ZeroDivisionError("nobody thought of this")
            self.calls_since += 1
            return await work(*args, **options)

        return broken_at_times

    async def works_again(self) -> None:
        await eventually(lambda: self.calls_since > 0)


async def readiness(app: FastAPI) -> tuple[int, str]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json()["checks"]["tasks"]


async def becomes_unready(app: FastAPI, task: str) -> None:
    async def is_missed() -> bool:
        status, tasks = await readiness(app)
        return status == 503 and task in tasks

    await eventually(is_missed)


async def becomes_ready(app: FastAPI) -> None:
    async def is_ready() -> bool:
        return (await readiness(app))[0] == 200

    await eventually(is_ready)


def end_subscription(bus: InProcessBus, queue: str) -> None:
    """End a queue's consumers, or all listeners, as an error that nobody thought of would."""
    found = [
        subscription
        for subscription in bus._subscriptions
        if subscription._task.get_name() == f"bus: {queue}"
    ]
    assert found, queue
    for subscription in found:
        subscription._task.cancel()

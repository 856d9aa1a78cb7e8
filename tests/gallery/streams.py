"""Reading a live stream as a client does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
from httpx_sse import EventSource

from libs.common import tasks
from tests.support.polling import PATIENCE_SECONDS, eventually


class Stream:
    """An open stream; events are collected while the block lasts."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.events: list[tuple[str, Any]] = []
        self.last_id = ""
        self.has_ended = False

    async def wait_for(self, count: int) -> list[tuple[str, Any]]:
        """Return the first events as (name, data)."""
        await eventually(
            lambda: len(self.events) >= count,
            message=lambda: f"only {self.events} came",
        )
        return self.events[:count]

    async def collect(self) -> None:
        with contextlib.suppress(httpx.RemoteProtocolError):
            async for event in EventSource(self.response).aiter_sse():
                self.last_id = event.id
                if event.data:
                    self.events.append((event.event, event.json()))
        self.has_ended = True


@contextlib.asynccontextmanager
async def open_stream(
    client: httpx.AsyncClient, event_id: int, headers: dict[str, str]
) -> AsyncIterator[Stream]:
    """Open the event's stream; it is subscribed once the block begins."""
    timeout = httpx.Timeout(PATIENCE_SECONDS)
    url = f"/api/events/{event_id}/stream"
    async with client.stream("GET", url, headers=headers, timeout=timeout) as response:
        response.raise_for_status()
        stream = Stream(response)
        collecting = asyncio.create_task(stream.collect())
        try:
            yield stream
        finally:
            await tasks.end(collecting)

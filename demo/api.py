"""A client of FindMe's HTTP API, as the demo, the tests and the benchmarks use it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import httpx_sse

Json = dict[str, Any]

#: Uploads wait for the store and the face check for a worker; a list never takes so long.
TIMEOUT = httpx.Timeout(300, connect=10)
#: How often a refusal that says "try again" is tried again.
MAX_RETRIES = 20


class ApiError(Exception):
    """The server refused; carries its status and its own sentence."""

    def __init__(self, response: httpx.Response) -> None:
        request = response.request
        super().__init__(
            f"{request.method} {request.url.path}: {response.status_code} {response.text[:500]}"
        )
        self.status = response.status_code


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event of the live stream."""

    name: str
    data: Json


class Api:
    """One caller: anonymous until `login`."""

    def __init__(self, base_url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(base_url=base_url, transport=transport, timeout=TIMEOUT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def get(self, path: str) -> Any:  # noqa: ANN401 - whatever JSON the route answers
        """GET and decode. Raises ApiError."""
        return _decode(await self._http.get(path))

    async def post(self, path: str, body: object = None) -> Any:  # noqa: ANN401 - as above
        """POST JSON and decode. Raises ApiError."""
        return _decode(await self._http.post(path, json=body))

    async def login(self, username: str, password: str) -> None:
        """Authenticate all further requests. Raises ApiError."""
        answer = await self.post("/api/login", {"username": username, "password": password})
        self._http.headers["Authorization"] = f"Bearer {answer['access_token']}"

    async def register(self, username: str, password: str, event_code: str) -> Json:
        """Register a guest with an event's code. Raises ApiError."""
        user = {
            "username": username,
            "email": f"{username}@example.com",
            "password": password,
        }
        answer: Json = await self.post(
            "/api/register-with-event-code", {"user_data": user, "event_code": event_code}
        )
        return answer

    async def upload_photos(self, event_id: int, paths: list[Path]) -> Json:
        """Upload photos in one request, again while the server asks to. Raises ApiError."""
        url = f"/api/photographer/events/{event_id}/upload-photos"
        answer: Json = await self._send_files(url, "files", paths)
        return answer

    async def upload_selfie(self, path: Path) -> Json:
        """Send a selfie, again while the server asks to. Raises ApiError."""
        answer: Json = await self._send_files("/api/upload-selfie", "file", [path])
        return answer

    async def _send_files(self, url: str, field: str, paths: list[Path]) -> Any:  # noqa: ANN401
        for attempt in range(MAX_RETRIES + 1):
            contents = [(field, (path.name, path.read_bytes())) for path in paths]
            response = await self._http.post(url, files=contents)
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE or attempt == MAX_RETRIES:
                break
            await asyncio.sleep(float(response.headers.get("Retry-After", 1)))
        return _decode(response)

    @asynccontextmanager
    async def live(self, event_id: int) -> AsyncIterator[AsyncIterator[LiveEvent]]:
        """Open the event's live stream; events from the block's start on are not missed."""
        async with httpx_sse.aconnect_sse(
            self._http, "GET", f"/api/events/{event_id}/stream", timeout=httpx.Timeout(10, read=60)
        ) as source:
            if source.response.is_error:
                await source.response.aread()
                raise ApiError(source.response)
            yield _events(source)


async def _events(source: httpx_sse.EventSource) -> AsyncIterator[LiveEvent]:
    async for event in source.aiter_sse():
        yield LiveEvent(event.event, event.json() if event.data else {})


def _decode(response: httpx.Response) -> Any:  # noqa: ANN401 - whatever JSON the route answers
    if response.is_error:
        raise ApiError(response)
    return response.json()

"""What the routes of ingest work with, put together once per application, and whom it lets in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from libs.common.errors import Unavailable
from libs.common.resources import Resources
from services.ingest.request_body import MultipartReader, RequestBody
from services.ingest.selfies.receive_selfie import FaceCheck
from services.ingest.settings import IngestSettings

RETRY_AFTER_SECONDS = 10


class Admission:
    """Lets in a bounded number of requests; a bounded number of others waits, unread.

    Waiting costs no memory, as the server stops reading a body that nobody asks for, and it
    serves clients that never try again better than an immediate refusal.
    """

    def __init__(self, *, at_once: int, waiting: int, patience_seconds: float) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._max_waiting = waiting
        self._waiting = 0
        self._patience_seconds = patience_seconds

    @asynccontextmanager
    async def enter(self, *, waited_seconds: float = 0.0) -> AsyncIterator[None]:
        """Hold one of the places. Raises Unavailable when the line is too long or too slow.

        What was waited for before it counts.
        """
        if self._free.locked():
            await self._wait(self._patience_seconds - waited_seconds)
        else:
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()

    async def _wait(self, patience_seconds: float) -> None:
        if self._waiting >= self._max_waiting:
            raise _too_busy()
        self._waiting += 1
        try:
            async with asyncio.timeout(patience_seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise _too_busy() from error
        finally:
            self._waiting -= 1


def _too_busy() -> Unavailable:
    return Unavailable(
        "Too many uploads arrive at this moment. Try again in a few seconds.",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )


@dataclass(frozen=True, slots=True)
class Context:
    """Settings, connections and limits of one application."""

    settings: IngestSettings
    resources: Resources
    face_check: FaceCheck
    uploads: Admission
    selfies: Admission

    def parts(self, request: Request, *, max_bytes: int) -> MultipartReader:
        """Read the request's body part by part. Raises MalformedMultipart."""
        body = RequestBody(
            request.receive,
            max_bytes=max_bytes,
            stall_seconds=self.settings.upload_stall_seconds,
        )
        return MultipartReader(body, request.headers.get("content-type", ""))


def make_context(settings: IngestSettings, resources: Resources, face_check: FaceCheck) -> Context:
    """Put together what the settings say."""
    return Context(
        settings=settings,
        resources=resources,
        face_check=face_check,
        uploads=_admission(settings, at_once=settings.max_concurrent_uploads),
        selfies=_admission(settings, at_once=settings.max_concurrent_selfies),
    )


def _admission(settings: IngestSettings, *, at_once: int) -> Admission:
    return Admission(
        at_once=at_once,
        waiting=settings.max_waiting_requests,
        patience_seconds=settings.admission_patience_seconds,
    )


async def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


IngestContext = Annotated[Context, Depends(_context)]

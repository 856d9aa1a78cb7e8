"""What the routes of ingest work with, put together once per application, and whom it lets in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from libs.common.limits.fair_queue import FairQueue
from libs.common.limits.limiter import Limiter
from libs.common.resources import Resources
from services.ingest.metrics import OPEN_UPLOADS
from services.ingest.photos.room import Room
from services.ingest.photos.store_photo import PhotoLimits, file_too_large
from services.ingest.photos.take_file import EventFull
from services.ingest.progress.progress import EventsProgress
from services.ingest.registrations.accounts_client import Accounts
from services.ingest.request_body import MIN_BYTES_PER_SECOND, MultipartReader, RequestBody
from services.ingest.resumable.holding import Holdings
from services.ingest.selfies.receive_selfie import FaceCheck
from services.ingest.settings import IngestSettings
from services.ingest.turns import SelfieTurns, queue_of

#: Of a form, beside its files: no client sends more than six.
MAX_FIELDS = 20


@dataclass(frozen=True, slots=True)
class Context:
    """Settings, connections and limits of one application."""

    settings: IngestSettings
    resources: Resources
    face_check: FaceCheck
    #: For visitors without an account; and for what they only have judged.
    anonymous_face_check: FaceCheck
    trial_face_check: FaceCheck
    accounts: Accounts
    limiter: Limiter
    uploads: FairQueue
    selfies: SelfieTurns
    progress: EventsProgress
    room: Room
    holdings: Holdings

    @property
    def photo_limits(self) -> PhotoLimits:
        """The largest photo that is taken."""
        return PhotoLimits(
            max_bytes=self.settings.max_photo_bytes, max_pixels=self.settings.max_pixels
        )

    async def check_upload(self, event_id: int, *, size_bytes: int | None = None) -> None:
        """Judge an upload before its bytes, by the file's size where the sender says it.

        Raises FileTooLarge, EventFull, StoreFull.
        """
        limits = self.photo_limits
        if size_bytes is not None and size_bytes > limits.max_bytes:
            raise file_too_large(limits.max_bytes)
        await self.room.check(size_bytes or 0)
        counts = (await self.progress.of(event_id)).counts
        if counts.received >= self.settings.max_photos_per_event:
            raise EventFull(event_id, self.settings.max_photos_per_event)

    @asynccontextmanager
    async def upload_turn(self, user_id: int, *, waited_seconds: float) -> AsyncIterator[None]:
        """Read an account's files in the block, once it is its turn.

        `waited_seconds` is what the sender has waited for already. Raises Unavailable.
        """
        async with self.uploads.turn(f"account {user_id}", waited_seconds=waited_seconds):
            with OPEN_UPLOADS.track_inprogress():
                yield

    def file_body(self, request: Request) -> RequestBody:
        """Read the request's body as a photo."""
        return RequestBody(
            request.receive,
            max_bytes=self.settings.max_photo_bytes,
            stall_seconds=self.settings.upload_stall_seconds,
            too_large=file_too_large,
        )

    def parts(
        self,
        request: Request,
        *,
        max_bytes: int,
        max_files: int = 1,
        least_bytes_per_second: int = MIN_BYTES_PER_SECOND,
    ) -> MultipartReader:
        """Read the request's body part by part. Raises MalformedMultipart."""
        body = RequestBody(
            request.receive,
            max_bytes=max_bytes,
            stall_seconds=self.settings.upload_stall_seconds,
            least_bytes_per_second=least_bytes_per_second,
        )
        return MultipartReader(
            body, request.headers.get("content-type", ""), max_parts=max_files + MAX_FIELDS
        )


def make_context(
    settings: IngestSettings,
    resources: Resources,
    limiter: Limiter,
    *,
    face_check: FaceCheck,
    accounts: Accounts,
) -> Context:
    """Put together what the settings say."""
    return Context(
        settings=settings,
        resources=resources,
        face_check=face_check,
        anonymous_face_check=face_check.for_anonymous(),
        trial_face_check=face_check.for_trial(),
        accounts=accounts,
        limiter=limiter,
        uploads=queue_of(settings, "uploads", at_once=settings.max_concurrent_uploads),
        selfies=SelfieTurns.of(settings),
        progress=EventsProgress(resources.database),
        room=Room(resources.store, kept_free_bytes=settings.kept_free_bytes),
        holdings=Holdings(resources.database),
    )


async def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


IngestContext = Annotated[Context, Depends(_context)]

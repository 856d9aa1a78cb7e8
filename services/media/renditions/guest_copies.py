"""A photo as its guests get it: put together of the original's pieces while it is sent."""

import hashlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import PurePath

import structlog
from fastapi import Request, Response

from libs.common.errors import Gone
from libs.common.storage.protocol import ObjectInfo, ObjectNotFound, ObjectStore
from libs.common.storage.stored_file import StoredFile
from services.media.photos.media_key import GuestCopy, Original
from services.media.photos.repository import PhotoRecord
from services.media.renditions.renditions import JPEG, Renditions
from services.media.responses.delivery import Delivery
from services.media.responses.headers import Keeping
from services.media.responses.sources import Source, Span, StoredObject, open_same
from services.media.stripping.pieces import Copy, Kept, Put, Zeros

#: What is blank is sent in pieces of this size, as what is read from the store.
BLANK = bytes(64 * 1024)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SplicedObject:
    """A copy, as if it lay in the store."""

    store: ObjectStore
    original: ObjectInfo
    info: ObjectInfo
    copy: Copy

    async def read(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """As `Source`."""
        async with aclosing(
            read_copy(self.store, self.original.key, self.copy, start, end)
        ) as pieces:
            async for piece in pieces:
                yield piece

    def spans(self, start: int, end: int) -> Iterator[Span | bytes]:
        """As `Source`."""
        return _spans(self.copy, start, end)

    def open_file(self) -> StoredFile | None:
        """As `Source`."""
        return open_same(self.store, self.original)


async def read_copy(
    store: ObjectStore, key: str, copy: Copy, start: int, end: int
) -> AsyncGenerator[bytes, None]:
    """As `ObjectStore.read`, of the copy of the object at the key."""
    for span in _spans(copy, start, end):
        if isinstance(span, bytes):
            yield span
            continue
        async with aclosing(store.read(key, start=span.start, end=span.end)) as pieces:
            async for piece in pieces:
                yield piece


def _spans(copy: Copy, start: int, end: int) -> Iterator[Span | bytes]:
    for piece in copy.part(start, end):
        match piece:
            case Kept():
                yield Span(piece.start, piece.end)
            case Put():
                yield piece.data
            case Zeros():
                for left in range(piece.length, 0, -len(BLANK)):
                    yield BLANK[:left]


class FileLost(Gone):
    """The photo is there, and its file is not."""

    def __init__(self, key: str) -> None:
        super().__init__("This photo's file is lost. Its photographer has to upload it again.")
        self.key = key


async def original_answer(request: Request, photo: PhotoRecord, *, keeping: Keeping) -> Response:
    """Answer with the photo as it was uploaded. Raises FileLost."""
    store: ObjectStore = request.app.state.resources.store
    delivery: Delivery = request.app.state.delivery
    info = await _original(Original(photo.event_id, photo.filename), store)
    return await delivery.answer(
        request.scope,
        StoredObject(store, info),
        content_type=photo.content_type,
        keeping=keeping,
        filename=photo.original_filename,
    )


async def guest_answer(request: Request, photo: PhotoRecord, *, keeping: Keeping) -> Response:
    """Answer with the copy for guests, or the original where the event wants no copies.

    Never with the original where one cannot be made: raises NoRendition, FileLost, and Unavailable.
    """
    if not photo.strips_metadata:
        return await original_answer(request, photo, keeping=keeping)
    store: ObjectStore = request.app.state.resources.store
    delivery: Delivery = request.app.state.delivery
    wanted = GuestCopy(Original(photo.event_id, photo.filename))
    try:
        note, copy = await guest_copy(wanted, store, request.app.state.renditions)
    except ObjectNotFound as error:
        raise _lost(wanted.original) from error
    source: Source
    if copy.pieces:
        original = await _original(wanted.original, store)
        source = _spliced(original, store, copy, note)
    else:
        source = StoredObject(store, await store.stat(wanted.picture_key))
    content_type, filename = photo.content_type, photo.original_filename
    if copy.is_jpeg:
        content_type, filename = JPEG, PurePath(filename).stem + ".jpg"
    return await delivery.answer(
        request.scope, source, content_type=content_type, keeping=keeping, filename=filename
    )


async def _original(original: Original, store: ObjectStore) -> ObjectInfo:
    try:
        return await store.stat(original.key)
    except ObjectNotFound as error:
        raise _lost(original) from error


def _lost(original: Original) -> FileLost:
    log.error("photo_file_lost", key=original.key)
    return FileLost(original.key)


def _spliced(original: ObjectInfo, store: ObjectStore, copy: Copy, note: bytes) -> SplicedObject:
    digest = hashlib.blake2b(note, digest_size=16, key=original.etag.encode()[:64]).hexdigest()
    info = ObjectInfo(original.key, copy.size_bytes, f'"{digest}"')
    return SplicedObject(store, original, info, copy)


async def guest_copy(
    wanted: GuestCopy, store: ObjectStore, renditions: Renditions
) -> tuple[bytes, Copy]:
    """Return the note of the copy's pieces as it is and as it is read; made now if there is none.

    Raises what `Renditions.ensure` raises, ObjectNotFound where there is no original to make it of.
    """
    try:
        note = await store.get(wanted.key)
        copy = Copy.model_validate_json(note)
        if not copy.pieces:
            await store.stat(wanted.picture_key)
    except ObjectNotFound as error:
        if error.identifier == wanted.picture_key:
            # The note has outlived its picture.
            await store.delete(wanted.key)
        note = await store.get((await renditions.ensure(wanted)).key)
        copy = Copy.model_validate_json(note)
    return note, copy

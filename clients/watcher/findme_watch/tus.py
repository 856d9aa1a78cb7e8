"""Uploads in pieces (tus 1.0): a broken link costs a piece, not the file.

Written here because `tuspy` keeps its places in a JSON file, waits the same time after each
failure whatever `Retry-After` says, and brings two HTTP libraries beside ours.
"""

import os
from base64 import b64encode
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from findme_watch.server import NotNow, Refused, Shut, Stored, Stumbled
from findme_watch.target import Target

PIECE_BYTES: Final = 8 * 1024 * 1024
_VERSION: Final = {"Tus-Resumable": "1.0.0"}
_OFFSET: Final = "Upload-Offset"
#: Of a piece that arrived otherwise than it was sent (tus, extension checksum).
_CHECKSUM_MISMATCH: Final = 460
_CONFLICT: Final = 409
_GONE: Final = frozenset({403, 404, 410})

#: Reads so many bytes of the file, from a place in it.
Read = Callable[[int, int], Awaitable[bytes]]


class TusUpload:
    """One file's upload, which goes on where it was, also after a restart."""

    def __init__(self, target: Target, *, name: str, size: int, sha256: str) -> None:
        self._server = target.server
        self._destination = target.destination
        self._sha256 = sha256
        self._size = size
        self._metadata = _metadata(name, target, sha256)

    async def send(self, read: Read, *, on_piece: Callable[[int], None]) -> Stored:
        """Send what is not there yet. Raises NotNow, Stumbled, Shut and Refused."""
        answer = await self._found() or await self._create()
        while (offset := _offset(answer)) < self._size:
            piece = await read(offset, PIECE_BYTES)
            answer = await self._patch(offset, piece)
            on_piece(len(piece))
        photo_id = answer.headers.get("FindMe-Photo-Id")
        return Stored(
            int(photo_id) if photo_id else None,
            answer.headers.get("FindMe-Status") == "duplicate",
        )

    async def _found(self) -> httpx.Response | None:
        """Ask how far the upload is that was begun before, None where there is none (any more)."""
        url = self._destination.upload_url(self._sha256)
        if url is None:
            return None
        try:
            return await self._server.request("HEAD", url, headers=_VERSION)
        except (Shut, Refused) as error:
            if error.status not in _GONE:
                raise
            self._destination.set_upload_url(self._sha256, None)
            return None

    async def _create(self) -> httpx.Response:
        answer = await self._server.request(
            "POST",
            "/api/uploads",
            headers=_VERSION
            | {"Upload-Length": str(self._size), "Upload-Metadata": self._metadata},
        )
        location = answer.headers.get("Location")
        if not location:
            raise Stumbled("The server began an upload and did not say where.")
        self._destination.set_upload_url(self._sha256, _own(location))
        return answer

    async def _patch(self, offset: int, piece: bytes) -> httpx.Response:
        url = self._destination.upload_url(self._sha256)
        assert url is not None  # noqa: S101 - it was begun or found
        checksum = b64encode(sha256(piece).digest()).decode()
        try:
            return await self._server.request(
                "PATCH",
                url,
                headers=_VERSION
                | {
                    _OFFSET: str(offset),
                    "Content-Type": "application/offset+octet-stream",
                    "Upload-Checksum": f"sha256 {checksum}",
                },
                content=piece,
            )
        except Refused as error:
            if error.status in (_CONFLICT, _CHECKSUM_MISMATCH):
                # Ask again where it is: a request that was cut off may still have been written.
                raise NotNow(str(error)) from error
            self._destination.set_upload_url(self._sha256, None)
            raise
        except Shut as error:
            if error.status in _GONE:
                # The upload is too old, or the event is: a new one will tell.
                self._destination.set_upload_url(self._sha256, None)
                raise Stumbled(str(error)) from error
            raise


def _metadata(name: str, target: Target, sha256: str) -> str:
    values = {"filename": os.fsencode(name), "event_id": str(target.event_id).encode()}
    if target.watcher_id is not None:
        values["watcher_id"] = str(target.watcher_id).encode()
    values["sha256"] = sha256.encode()
    return ",".join(f"{key} {b64encode(value).decode()}" for key, value in values.items())


def _offset(answer: httpx.Response) -> int:
    """Where the upload is; 0 of a new one, which need not say so."""
    try:
        return int(answer.headers.get(_OFFSET, "0"))
    except ValueError as error:
        raise Stumbled("The server does not say how far the upload is.") from error


def _own(location: str) -> str:
    """Return the path of an upload: behind a proxy the server may know another name of itself."""
    address = urlsplit(urljoin("/api/uploads", location))
    return address.path + (f"?{address.query}" if address.query else "")

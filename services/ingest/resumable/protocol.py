"""The headers of tus 1.0, the protocol of resumable uploads (https://tus.io)."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from libs.common.errors import Corrupted, InvalidInput, WrongMedia, WrongVersion
from libs.common.messaging.messages import MAX_ID
from services.ingest.byte_source import ByteSource
from services.ingest.photos.names import display_name
from services.ingest.request_body import BrokenBody

if TYPE_CHECKING:
    from hashlib import _Hash

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,expiration,checksum,termination"
CONTENT_TYPE: Final = "application/offset+octet-stream"
#: Names are that long at most, and a folder watcher sends little beside.
MAX_METADATA_BYTES: Final = 4096
_CHECKSUMS: Final[Mapping[str, Callable[[], "_Hash"]]] = {
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
}
CHECKSUM_ALGORITHMS: Final = ",".join(_CHECKSUMS)
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_HEX_SHA256 = re.compile(rb"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class NewUpload:
    """What a sender says of a file before it comes."""

    event_id: int
    name: str
    length: int
    watcher_id: int | None
    keeps_copies: bool
    sha256: bytes | None
    sent_metadata: str


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a sender says that a request's body is."""

    algorithm: str
    digest: bytes


class ChecksumMismatch(Corrupted, BrokenBody):
    """The body is not what its checksum says; nothing of it is kept."""

    def __init__(self) -> None:
        super().__init__("The bytes changed on their way: send them again from the same offset.")


class CheckedSource:
    """Gives a body on, and raises ChecksumMismatch in place of its end when it is another."""

    def __init__(self, source: ByteSource, checksum: Checksum) -> None:
        self._source = source
        self._expected = checksum.digest
        self._hash = _CHECKSUMS[checksum.algorithm]()

    async def read(self) -> bytes | memoryview:
        """Return the next piece, b"" at the end."""
        piece = await self._source.read()
        self._hash.update(piece)
        if not piece and self._hash.digest() != self._expected:
            raise ChecksumMismatch
        return piece


def check_version(headers: Mapping[str, str]) -> None:
    """Raises WrongVersion for a client of another version, or of another protocol."""
    if headers.get("tus-resumable") != VERSION:
        msg = f"Send `Tus-Resumable: {VERSION}`: uploads are resumed by tus 1.0 here."
        raise WrongVersion(msg)


def new_upload(headers: Mapping[str, str]) -> NewUpload:
    """Return what a request to create an upload says. Raises InvalidInput."""
    if "upload-defer-length" in headers:
        msg = "Send the file's size as Upload-Length: it has to be known beforehand."
        raise InvalidInput(msg)
    sent = headers.get("upload-metadata", "")
    metadata = _metadata(sent)
    return NewUpload(
        event_id=_id(metadata, "event_id"),
        name=display_name(metadata.get("filename") or metadata.get("name") or b""),
        length=_number(headers, "Upload-Length"),
        watcher_id=_id(metadata, "watcher_id") if metadata.get("watcher_id") else None,
        keeps_copies=_keeps_copies(metadata),
        sha256=_sha256(metadata),
        sent_metadata=sent,
    )


def has_body(headers: Mapping[str, str]) -> bool:
    """Whether a request brings bytes of the file. Raises WrongMedia for a body of another kind."""
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return False
    check_content_type(headers)
    return True


def check_content_type(headers: Mapping[str, str]) -> None:
    """Raises WrongMedia."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != CONTENT_TYPE:
        msg = f"Send the bytes as `Content-Type: {CONTENT_TYPE}`."
        raise WrongMedia(msg)


def announced_offset(headers: Mapping[str, str]) -> int:
    """Return where the body begins in the file. Raises InvalidInput."""
    return _number(headers, "Upload-Offset")


def announced_size(headers: Mapping[str, str]) -> int | None:
    """Return how long the body is, None where that is not said."""
    value = headers.get("content-length", "")
    return int(value) if _NUMBER.fullmatch(value) else None


def announced_checksum(headers: Mapping[str, str]) -> Checksum | None:
    """Return what the body is to be, None where that is not said. Raises InvalidInput."""
    if (sent := headers.get("upload-checksum")) is None:
        return None
    algorithm, _, value = sent.strip().partition(" ")
    digest = _decoded(value.strip())
    if algorithm not in _CHECKSUMS or digest is None:
        msg = f"Upload-Checksum cannot be used. Send one of {CHECKSUM_ALGORITHMS}, in base64."
        raise InvalidInput(msg)
    return Checksum(algorithm, digest)


def expires(moment: datetime) -> str:
    """Return the moment as Upload-Expires has it."""
    return format_datetime(moment, usegmt=True)


def _number(headers: Mapping[str, str], name: str) -> int:
    value = headers.get(name.lower(), "")
    if not _NUMBER.fullmatch(value):
        msg = f"Send {name} as a number of bytes."
        raise InvalidInput(msg)
    return int(value)


def _metadata(sent: str) -> dict[str, bytes]:
    if len(sent) > MAX_METADATA_BYTES:
        msg = f"Upload-Metadata is longer than {MAX_METADATA_BYTES} bytes. Send less of it."
        raise InvalidInput(msg)
    found: dict[str, bytes] = {}
    for pair in sent.split(","):
        key, _, value = pair.strip().partition(" ")
        decoded = _decoded(value.strip())
        if decoded is None:
            msg = "Upload-Metadata cannot be read. Send pairs of a key and its value in base64."
            raise InvalidInput(msg)
        if key:
            found[key] = decoded
    return found


def _id(metadata: Mapping[str, bytes], key: str) -> int:
    value = metadata.get(key, b"").decode("ascii", "replace")
    if not _NUMBER.fullmatch(value) or not 1 <= int(value) <= MAX_ID:
        msg = f"Send a number as `{key}` in Upload-Metadata."
        raise InvalidInput(msg)
    return int(value)


def _keeps_copies(metadata: Mapping[str, bytes]) -> bool:
    value = metadata.get("duplicates", b"")
    if value not in {b"", b"keep"}:
        msg = "`duplicates` in Upload-Metadata may be `keep`, or left out."
        raise InvalidInput(msg)
    return value == b"keep"


def _sha256(metadata: Mapping[str, bytes]) -> bytes | None:
    value = metadata.get("sha256", b"")
    if not value:
        return None
    if not _HEX_SHA256.fullmatch(value):
        msg = "Send `sha256` in Upload-Metadata as 64 hexadecimal digits, or leave it out."
        raise InvalidInput(msg)
    return bytes.fromhex(value.decode())


def _decoded(value: str) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None

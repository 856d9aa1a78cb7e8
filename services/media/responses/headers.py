"""What an answer says of its object: its type and name, how long it is kept, which part comes."""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from starlette.status import HTTP_206_PARTIAL_CONTENT, HTTP_416_RANGE_NOT_SATISFIABLE

from services.media.responses.byte_range import Answer

ZIP = "application/zip"
FALLBACK_TYPE = "application/octet-stream"
MAX_AGE_SECONDS = 365 * 24 * 60 * 60
#: By so much an event that is ended early, or whose photo goes, may be seen for longer than here.
DECISION_SECONDS = 2
#: The browser asks each time, by ETag.
REVALIDATED = "private, no-cache"
NOT_KEPT = "no-store"

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Keeping:
    """For how long an object may be seen, and so be kept by its browser; None: asked each time."""

    seconds: float | None

    @property
    def decision_seconds(self) -> int:
        """For how long the gateway need not ask again whether the object may be seen."""
        return 0 if self.seconds is None else max(0, min(int(self.seconds), DECISION_SECONDS))

    @property
    def cache_control(self) -> str:
        """Cache-Control of what never changes where it is kept."""
        if self.seconds is None:
            return REVALIDATED
        return f"private, max-age={min(int(self.seconds), MAX_AGE_SECONDS)}, immutable"


def content_disposition(filename: str | None, *, is_download: bool = False) -> str:
    """Show in the page or save, under this name (RFC 6266, with RFC 8187 for any letter)."""
    kind = "attachment" if is_download else "inline"
    if not filename:
        return kind
    # Browsers take the name's last segment; a control letter could end the header.
    name = "".join(
        "_" if letter in '/\\"' or not letter.isprintable() else letter for letter in filename
    )
    encoded = quote(name, safe="")
    if name.isascii():
        return f'{kind}; filename="{name}"'
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


@lru_cache(1024)
def of_object(
    content_type: str, filename: str | None, *, is_download: bool = False
) -> tuple[tuple[bytes, bytes], ...]:
    """Return what is said of the object itself, whichever part of it is sent."""
    disposition = content_disposition(filename, is_download=is_download)
    return (
        (b"content-disposition", disposition.encode("latin-1")),
        (b"content-type", safe_type(content_type).encode("latin-1")),
        (b"x-content-type-options", b"nosniff"),
    )


def of_body(answer: Answer, size_bytes: int) -> Headers:
    """Return what is said of the part that is sent."""
    headers = [(b"accept-ranges", b"bytes"), (b"content-length", b"%d" % answer.length)]
    if answer.status == HTTP_206_PARTIAL_CONTENT:
        part = b"bytes %d-%d/%d" % (answer.start, answer.end - 1, size_bytes)
        headers.append((b"content-range", part))
    if answer.status == HTTP_416_RANGE_NOT_SATISFIABLE:
        headers.append((b"content-range", b"bytes */%d" % size_bytes))
    return headers


def safe_type(content_type: str) -> str:
    """Nothing that a browser would run leaves this origin as what it says it is."""
    is_picture = content_type.startswith("image/") and "svg" not in content_type
    return content_type if is_picture or content_type == ZIP else FALLBACK_TYPE

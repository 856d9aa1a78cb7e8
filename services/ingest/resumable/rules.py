"""What a resumable upload is, and its limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from libs.common.errors import Conflict
from libs.common.storage.keys import upload_prefix

#: What a killed process loses at most of an upload, and one request to S3.
PART_BYTES: Final = 8 * 1024 * 1024
#: Of a photo of 100 MB, pieces of 50 KB.
MAX_PARTS: Final = 2000
#: However slowly it goes on.
MAX_AGE: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that comes in pieces, as it is in the database.

    `parts` are the names of the objects that the first `received` of its bytes are.
    """

    id: UUID
    event_id: int
    name: str
    sent_metadata: str
    watcher_id: int | None
    keeps_copies: bool
    sha256: bytes | None
    length: int
    received: int
    parts: Sequence[str]
    expires_at: datetime
    #: A request receives it at this moment.
    is_held: bool
    is_expired: bool
    status: Literal["queued", "duplicate"] | None
    job_id: str | None
    photo_id: int | None

    @property
    def is_whole(self) -> bool:
        """All of it is here, and it is no photo yet."""
        return self.received == self.length and self.status is None

    @property
    def prefix(self) -> str:
        """Below which the parts lie."""
        return upload_prefix(self.event_id, self.id)

    def part_key(self, name: str) -> str:
        """Return a part's key."""
        return self.prefix + name

    def part_sizes(self) -> list[tuple[str, int]]:
        """Return the parts' keys, each with the bytes that it must have."""
        starts = [*(int(name.partition("-")[0]) for name in self.parts), self.received]
        return [
            (self.part_key(name), end - start)
            for name, start, end in zip(self.parts, starts, starts[1:], strict=False)
        ]


class OffsetConflict(Conflict):
    """The bytes do not go on where the upload ends."""

    def __init__(self, received: int) -> None:
        super().__init__(
            f"This upload has {received} bytes: ask for its offset, and go on from there."
        )


class Interrupted(Conflict):
    """A request ended before its body did. What had arrived is kept."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} What arrived is kept: ask for the offset, and go on there.")


def part_name(start: int, holder: UUID) -> str:
    """Return what a part is called that begins at this byte; no other request's is called so."""
    return f"{start:012d}-{holder.hex}"

"""Take in a form's photos, one after the other, and say what became of each."""

from dataclasses import dataclass

from libs.common.database.database import Database
from libs.common.storage.protocol import ObjectStore
from services.ingest.byte_source import read_prefix
from services.ingest.photos.names import UNNAMED, display_name
from services.ingest.photos.outcomes import Outcome, Rejected
from services.ingest.photos.room import Room
from services.ingest.photos.store_photo import Destination, Kept, PhotoLimits
from services.ingest.photos.take_file import (
    OUR_FAULT,
    counted,
    first_database_seconds,
    store_file,
)
from services.ingest.request_body import BodyTooLarge, MultipartReader, Part

FILES_FIELD = "files"
#: Which folder watcher sends the files; a form may name it before or after them.
WATCHER_FIELD = "watcher_id"
_MAX_WATCHER_DIGITS = 18
#: After so many files in a row that failed for our reasons, the next one would fail too.
GIVE_UP_AFTER = 3


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What became of a request's files, and the watcher that sent them, if one says so."""

    outcomes: list[Outcome]
    watcher_id: int | None


async def upload_photos(
    parts: MultipartReader,
    destination: Destination,
    *,
    limits: PhotoLimits,
    room: Room,
    waited_seconds: float,
    max_files: int,
    store: ObjectStore,
    database: Database,
) -> Uploaded:
    """Return an outcome per file; one that is refused does not touch the others.

    What the request has waited for so far is off what the first photo waits for the database.

    Raises BrokenBody when the body cannot be read further, NotFound when the event goes
    away, Gone when it ends, AccountGone when the account goes; photos that were finished by then
    are kept.
    """
    outcomes: list[Outcome] = []
    form = _Form(parts)
    failures_in_a_row = 0
    seconds = first_database_seconds(waited_seconds, database)
    name = UNNAMED
    try:
        while part := await form.next_file():
            name = display_name(part.filename or b"")
            if len(outcomes) == max_files:
                rejected = Rejected(name, _too_many_files(max_files))
                outcomes.append(counted(rejected, destination.way))
                break
            outcome: Outcome
            if failures_in_a_row >= GIVE_UP_AFTER:
                outcome = counted(Rejected(name, OUR_FAULT, is_ours=True), destination.way)
            else:
                outcome = await store_file(
                    part,
                    name,
                    destination,
                    limits=limits,
                    room=room,
                    database_seconds=seconds,
                    store=store,
                    database=database,
                )
            if isinstance(outcome, Kept):
                seconds = database.answer_seconds
            is_ours = isinstance(outcome, Rejected) and outcome.is_ours
            failures_in_a_row = failures_in_a_row + 1 if is_ours else 0
            if isinstance(outcome, Rejected) and outcome.is_silence:
                failures_in_a_row = GIVE_UP_AFTER
            outcomes.append(outcome)
            name = UNNAMED  # until the next one's is read
    except BodyTooLarge as error:
        reason = f"{error} This file and those after it were not kept."
        outcomes.append(counted(Rejected(name, reason), destination.way))
    return Uploaded(outcomes, form.watcher_id)


class _Form:
    """The form's files, and on the way to them the field that names the watcher."""

    def __init__(self, parts: MultipartReader) -> None:
        self.watcher_id: int | None = None
        self._parts = parts

    async def next_file(self) -> Part | None:
        """Skip fields of older clients, and file inputs that a browser's user left empty."""
        while part := await self._parts.next_part():
            if part.name == FILES_FIELD and part.filename != b"":
                return part
            if part.name == WATCHER_FIELD and part.filename is None:
                value = await read_prefix(part, _MAX_WATCHER_DIGITS + 1)
                # Photos come first: no file is refused for a number that is none.
                if value.isdigit() and len(value) <= _MAX_WATCHER_DIGITS:
                    self.watcher_id = int(value)
        return None


def _too_many_files(max_files: int) -> str:
    return (
        f"A request may have at most {max_files} files; this one and those after it were not"
        " kept. Send them in another request."
    )

"""How many requests are read, and how many selfies are checked, at once; by whom in turn.

Waiting costs no memory, as the server stops reading a body that nobody asks for, and it serves
clients that never try again better than an immediate refusal. Who would wait for too long is told
so before anything is read, and when it is worth to come back.
"""

from dataclasses import dataclass
from typing import Final

from libs.common.limits.fair_queue import FairQueue
from services.ingest.metrics import REQUEST_LINES
from services.ingest.settings import IngestSettings

RETRY_AFTER_SECONDS: Final = 2
#: What a selfie has of the room at least, however small it says it is: who sends nothing more has
#: a place all the same.
LEAST_BYTES: Final = 256 * 1024
#: One account has no more of them than so many of the largest at once; one address, a venue's too,
#: half of the visitors' room.
LARGEST_OF_ONE_GUEST: Final = 2


@dataclass(frozen=True, slots=True)
class SelfieTurns:
    """The places of selfies: who sends one slowly holds none of those where they are checked.

    Those that arrive, or have and wait for their check, have room by their bytes: a hundred phones
    on a slow line are a hundred small pictures.
    """

    #: For those who are logged in, by account.
    arriving_of_guests: FairQueue
    #: For those who are not, by address.
    arriving_of_strangers: FairQueue
    #: Apart as well: strangers have another share of recognition's workers.
    checked_of_guests: FairQueue
    checked_of_strangers: FairQueue

    @classmethod
    def of(cls, settings: IngestSettings) -> "SelfieTurns":
        """Return them as the settings say."""
        room = settings.selfie_room_bytes // 2
        return cls(
            arriving_of_guests=queue_of(
                settings,
                "selfies",
                at_once=room,
                per_source=LARGEST_OF_ONE_GUEST * settings.max_selfie_bytes,
            ),
            arriving_of_strangers=queue_of(
                settings, "visitors", at_once=room, per_source=(room + 1) // 2
            ),
            checked_of_guests=_checks_of(settings, "selfies checked"),
            checked_of_strangers=_checks_of(settings, "visitors checked"),
        )


def queue_of(
    settings: IngestSettings, line: str, *, at_once: int, per_source: int | None = None
) -> FairQueue:
    """Return a queue of requests; `line` is its name in metrics."""
    return FairQueue(
        at_once=at_once,
        per_source=per_source,
        max_waiting=settings.max_waiting_requests,
        patience_seconds=settings.admission_patience_seconds,
        refusal="Too many uploads arrive at this moment.",
        retry_after_seconds=RETRY_AFTER_SECONDS,
        metrics=REQUEST_LINES,
        line=line,
    )


def selfie_size(content_length: str | None, *, max_bytes: int) -> int:
    """Return the room of a selfie by what its request says; the most where it says nothing."""
    if content_length is None or not content_length.isdecimal():
        return max_bytes
    return min(max(int(content_length), LEAST_BYTES), max_bytes)


def _checks_of(settings: IngestSettings, line: str) -> FairQueue:
    """Return those that are with recognition at once: a few, as the workers have them in turn.

    Whose selfie has been read was told to wait, and is not refused: there is an end to how many
    that are, and to how long their checks take.
    """
    return FairQueue(
        at_once=settings.max_concurrent_selfies,
        max_waiting=settings.selfie_room_bytes // LEAST_BYTES,
        refusal="Too many selfies are being checked at this moment.",
        retry_after_seconds=RETRY_AFTER_SECONDS,
        metrics=REQUEST_LINES,
        line=line,
    )

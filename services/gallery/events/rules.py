"""An event: how long it lasts, what its name and code must be like, and how codes compare."""

import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from libs.common.errors import InvalidInput
from libs.common.rights.access import EventDuplicates
from libs.common.rights.event_ends import EventState
from libs.common.visible_text import is_visible

MAX_NAME_CHARACTERS = 200
#: Faces are not kept for ever because somebody mistyped a year.
LONGEST_LIFE = timedelta(days=5 * 365)
MIN_CODE_CHARACTERS = 6
MAX_CODE_CHARACTERS = 64
#: Of a code that we make: without what is taken for something else on paper (O 0, I L 1).
CODE_CHARACTERS = 8
CODE_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
_CODE = re.compile(f"[A-Za-z0-9]{{{MIN_CODE_CHARACTERS},{MAX_CODE_CHARACTERS}}}")


@dataclass(frozen=True, slots=True)
class EventEnd:
    """When an event ends, whether it has, and until when it is kept at the least."""

    expires_at: datetime
    is_over: bool
    kept_until: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """An event as lists show it."""

    id: int
    name: str
    event_code: str
    date: datetime | None
    photographer_id: int | None
    expires_at: datetime
    #: By the database's clock, when it was read.
    is_over: bool
    is_erased: bool
    kept_until: datetime
    #: Whether guests get photos without place, names and serial numbers.
    strip_metadata: bool
    #: Whether photos that are uploaded again are the ones that are there; None by the upload's way.
    duplicates: EventDuplicates | None
    #: Of the IANA's; without one, clocks are taken as they are.
    time_zone: str | None = None

    @property
    def state(self) -> EventState:
        """What is left of it."""
        return EventState(self.is_over, self.is_erased)

    @property
    def end(self) -> EventEnd:
        """What the addresses of its photos are made with."""
        return EventEnd(self.expires_at, self.is_over, self.kept_until)


@dataclass(frozen=True, slots=True)
class JoinedEvent:
    """An event and when the participant joined it."""

    event: Event
    joined_at: datetime


class CodeInUse(InvalidInput):
    """Another event has this code."""

    def __init__(self, code: str) -> None:
        super().__init__(f"The event code {code} is already in use.")
        self.code = code


def expiry(date: datetime | None, lifetime: timedelta, *, now: datetime) -> datetime:
    """Return when an event of this date ends; one that lies ahead keeps its whole lifetime.

    Raises InvalidInput: the date lies too far ahead. The lifetime is the operator's to choose.
    """
    begins = max(date or now, now)
    # Without a sum, which may be after the last date there is.
    if begins - now > max(LONGEST_LIFE - lifetime, timedelta(0)):
        raise InvalidInput(_too_late("date"))
    return begins + lifetime


def chosen_end(end: datetime, date: datetime | None, *, now: datetime) -> datetime:
    """Return the end that somebody chose for an event of this date. Raises InvalidInput."""
    if end <= max(date or now, now):
        msg = "An event ends after its date, and not in the past."
        raise InvalidInput(msg)
    if end - now > LONGEST_LIFE:
        raise InvalidInput(_too_late("end"))
    return end


def _too_late(chosen: str) -> str:
    return f"An event ends within {LONGEST_LIFE.days // 365} years: choose an earlier {chosen}."


def checked_name(name: str) -> str:
    """Return an event's name as it is stored. Raises InvalidInput."""
    tidy = name.strip()
    if not tidy or len(tidy) > MAX_NAME_CHARACTERS:
        msg = f"An event needs a name of 1 to {MAX_NAME_CHARACTERS} characters."
        raise InvalidInput(msg)
    if not is_visible(tidy):
        msg = "An event needs a name of which all characters can be seen."
        raise InvalidInput(msg)
    return tidy


def checked_code(code: str) -> str:
    """Return a new code as it is stored. Raises InvalidInput; older codes may be otherwise."""
    tidy = "".join(unicodedata.normalize("NFKC", code).split())
    if not _CODE.fullmatch(tidy):
        msg = (
            f"An event code has {MIN_CODE_CHARACTERS} to {MAX_CODE_CHARACTERS} letters (A to Z)"
            " and digits, and nothing else."
        )
        raise InvalidInput(msg)
    return tidy


def generate_code() -> str:
    """Return a random code of 8 upper-case letters and digits (39 bits)."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_CHARACTERS))


def invite_url(template: str, code: str, *, base_url: str) -> str:
    """Return the address for an event's code; one without a host is below `base_url`."""
    url = template.replace("{code}", quote(code, safe=""))
    return base_url.rstrip("/") + url if url.startswith("/") else url

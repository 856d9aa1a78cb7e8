"""An event: how long it lasts, what its name and code must be like, and how codes compare."""

import secrets
import string
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.common.errors import InvalidInput, NotFound

MAX_NAME_CHARACTERS = 200
MAX_CODE_CHARACTERS = 64
#: Of a code that we make.
CODE_CHARACTERS = 8
CODE_ALPHABET = string.ascii_uppercase + string.digits


@dataclass(frozen=True, slots=True)
class Event:
    """An event as lists show it."""

    id: int
    name: str
    event_code: str
    date: datetime | None
    photographer_id: int | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class JoinedEvent:
    """An event and when the participant joined it."""

    event: Event
    joined_at: datetime


class EventCodeUnknown(NotFound):
    """No open event has this code."""

    def __init__(self, code: str) -> None:
        super().__init__("Event code", code)


class CodeInUse(InvalidInput):
    """Another event has this code."""

    def __init__(self, code: str) -> None:
        super().__init__(f"The event code {code} is already in use.")
        self.code = code


def expiry(date: datetime | None, lifetime: timedelta, *, now: datetime) -> datetime:
    """Return when an event of this date ends; one that lies ahead keeps its whole lifetime."""
    return max(date or now, now) + lifetime


def checked_name(name: str) -> str:
    """Return an event's name as it is stored. Raises InvalidInput."""
    tidy = name.strip()
    if not tidy or len(tidy) > MAX_NAME_CHARACTERS:
        msg = f"An event needs a name of 1 to {MAX_NAME_CHARACTERS} characters."
        raise InvalidInput(msg)
    return tidy


def checked_code(code: str) -> str:
    """Return a code as it is stored. Raises InvalidInput."""
    tidy = code.strip()
    if not code_key(tidy) or len(tidy) > MAX_CODE_CHARACTERS:
        msg = f"An event code has 1 to {MAX_CODE_CHARACTERS} characters."
        raise InvalidInput(msg)
    return tidy


def code_key(code: str) -> str:
    """Return the form in which codes compare: upper case, without any white space."""
    return "".join(code.split()).upper()


def generate_code() -> str:
    """Return a random code of 8 upper-case letters and digits (41 bits)."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_CHARACTERS))

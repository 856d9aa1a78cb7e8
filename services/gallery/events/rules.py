"""What an event is, how long it lasts, and what its name and code must be like."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.common.errors import InvalidInput, NotFound
from services.gallery.events.codes import code_key

MAX_NAME_CHARACTERS = 200
MAX_CODE_CHARACTERS = 64


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

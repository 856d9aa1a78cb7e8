"""What an event's pages look like and say."""

import re
from dataclasses import dataclass

from libs.common.errors import InvalidInput
from libs.common.visible_text import is_visible
from services.gallery.events.rules import Event

MAX_CONSENT_CHARACTERS = 1000
_COLOUR = re.compile(r"#[0-9A-F]{6}")


@dataclass(frozen=True, slots=True)
class Cover:
    """The photo that an event's pages show first."""

    photo_id: int
    filename: str


@dataclass(frozen=True, slots=True)
class EventLook:
    """What whoever has an event's code sees and reads of it."""

    accent: str | None
    consent_text: str | None
    cover: Cover | None


@dataclass(frozen=True, slots=True)
class EventSettings:
    """All that an event's photographer can change of it."""

    event: Event
    look: EventLook
    selected_only: bool


def checked_accent(colour: str) -> str:
    """Return a colour as it is stored, #B93E14. Raises InvalidInput."""
    tidy = colour.strip().upper()
    if not _COLOUR.fullmatch(tidy):
        msg = "A colour is written as # and six hexadecimal digits: #B93E14."
        raise InvalidInput(msg)
    return tidy


def checked_consent_text(text: str) -> str | None:
    """Return what is added to the consent, as it is stored; None for nothing. Raises InvalidInput.

    It may have several lines.
    """
    lines = [line.strip() for line in text.strip().splitlines()]
    if not any(lines):
        return None
    tidy = "\n".join(lines)
    if len(tidy) > MAX_CONSENT_CHARACTERS:
        msg = f"The words of consent have at most {MAX_CONSENT_CHARACTERS} characters."
        raise InvalidInput(msg)
    if not all(is_visible(line) for line in lines if line):
        msg = "The words of consent must be such that all characters can be seen."
        raise InvalidInput(msg)
    return tidy

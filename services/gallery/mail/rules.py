"""What mails there are, how long each is worth sending, and when it is tried again."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from email_validator import EmailNotValidError, validate_email

from services.gallery.links.rules import KINDS, Purpose

LANGUAGES: Final = ("en", "fr")
DEFAULT_LANGUAGE = "en"

FIRST_PAUSE_SECONDS = 60.0
MAX_PAUSE_SECONDS = 3600.0
#: How long the sending of one mail may take; then another sender may take it over.
LEASE_SECONDS = 300.0
#: Where a mail to an address has the form by which its account is looked up.
ADDRESS_KEY = "address_key"
#: Longer values are cut: they are names, and make the subject.
MAX_VALUE_CHARACTERS = 200

#: Categories of characters that are not seen, break lines or turn what follows.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class Template(StrEnum):
    """The mails; each has a file of this name in every language."""

    PASSWORD_RESET = "password_reset"  # noqa: S105 - a mail, no password
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    ADDRESS_CHANGED = "address_changed"
    OPEN_ACCOUNT = "open_account"
    CONFIRM_ADDRESS = "confirm_address"
    PHOTOS_AVAILABLE = "photos_available"
    EVENT_ENDS_FOR_GUEST = "event_ends_for_guest"
    EVENT_ENDS_FOR_PHOTOGRAPHER = "event_ends_for_photographer"


@dataclass(frozen=True, slots=True)
class MailKind:
    """What sets one mail apart from others."""

    #: So long after it was asked for, nobody needs it any more.
    useful: timedelta = timedelta(days=3)
    #: The one-time link in it, which is made as it is sent, so that nobody else ever has it.
    link: Purpose | None = None
    #: What its button opens where it has no such link.
    page: str | None = None
    #: Whether it can be unsubscribed.
    is_news: bool = False


MAILS: Final[Mapping[Template, MailKind]] = {
    Template.PASSWORD_RESET: MailKind(
        useful=KINDS[Purpose.PASSWORD_RESET].lifetime, link=Purpose.PASSWORD_RESET
    ),
    Template.PASSWORD_CHANGED: MailKind(),
    Template.ADDRESS_CHANGED: MailKind(),
    Template.OPEN_ACCOUNT: MailKind(
        useful=KINDS[Purpose.OPEN_ACCOUNT].lifetime, link=Purpose.OPEN_ACCOUNT
    ),
    Template.CONFIRM_ADDRESS: MailKind(
        useful=KINDS[Purpose.OPEN_ACCOUNT].lifetime, link=Purpose.OPEN_ACCOUNT
    ),
    Template.PHOTOS_AVAILABLE: MailKind(page="/", is_news=True),
    Template.EVENT_ENDS_FOR_GUEST: MailKind(page="/", is_news=True),
    Template.EVENT_ENDS_FOR_PHOTOGRAPHER: MailKind(),
}


def pause_seconds(attempts: int) -> float:
    """Return how long a mail waits that was put off so often, the last time included."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(max(attempts - 1, 0), 20), MAX_PAUSE_SECONDS)


def is_lasting(code: int, words: str) -> bool:
    """Whether a mail server's refusal of a mail will not pass.

    RFC 5321, 4.2.1: 5xx will not. But 5.7.x of RFC 3463, and 530 and 535, are about us (no login,
    not allowed to relay, on a block list), which an operator mends: those mails wait.
    """
    return 500 <= code < 600 and code not in (530, 535) and not re.match(r"\s*5\.7\.\d", words)


def usable_address(address: str) -> str | None:
    """Return the address as mail servers take it; None for what is none."""
    try:
        found = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return found.ascii_email or found.normalized


def one_line(value: str) -> str:
    """Return a text that others chose as a single line, without what hides or turns characters."""
    seen = (" " if unicodedata.category(one) in _UNSEEN else one for one in value)
    return " ".join("".join(seen).split())[:MAX_VALUE_CHARACTERS].strip()


def language_of(accept_language: str) -> str:
    """Return which of our languages an `Accept-Language` header prefers; the default if none."""
    wanted: list[tuple[float, str]] = []
    for part in accept_language[:500].split(","):
        name, _, parameters = part.partition(";")
        language = name.strip().lower().partition("-")[0]
        if language in LANGUAGES:
            wanted.append((_quality(parameters), language))
    quality, language = max(wanted, key=lambda one: one[0], default=(0.0, DEFAULT_LANGUAGE))
    return language if quality > 0 else DEFAULT_LANGUAGE


def _quality(parameters: str) -> float:
    found = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", parameters)
    return float(found[1]) if found else 1.0 if not parameters.strip() else 0.0

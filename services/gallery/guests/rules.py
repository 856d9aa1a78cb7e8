"""What a guest without a password may be called, and what they may change of their account."""

from dataclasses import dataclass

from libs.common.errors import InvalidInput
from libs.common.visible_text import is_visible
from services.gallery.accounts.names import tidy_email, tidy_username
from services.gallery.mail.rules import LANGUAGES, usable_address

MAX_NAME_CHARACTERS = 100


class NameOfStaff(InvalidInput):
    """A guest wants to be called like somebody who runs events."""

    def __init__(self) -> None:
        super().__init__("Somebody who runs events is called so: choose another name.")


@dataclass(frozen=True, slots=True)
class GuestChange:
    """What a person changes of their account; None leaves what is there."""

    name: str | None = None
    #: An empty one takes the address away.
    email: str | None = None
    language: str | None = None
    wants_news: bool | None = None


def checked_name(name: str) -> str:
    """Return a guest's name as it is stored. Raises InvalidInput.

    Any number of guests may have the same, as nobody logs in by it.
    """
    tidy = tidy_username(name)
    if not tidy or len(tidy) > MAX_NAME_CHARACTERS or not is_visible(tidy):
        msg = f"A name has 1 to {MAX_NAME_CHARACTERS} characters, all of which can be seen."
        raise InvalidInput(msg)
    return tidy


def checked_email(email: str) -> str:
    """Return an address as it is stored. Raises InvalidInput."""
    tidy = tidy_email(email)
    if usable_address(tidy) is None:
        msg = "A valid email address is required."
        raise InvalidInput(msg)
    return tidy


def checked_language(language: str) -> str:
    """Raises InvalidInput for a language that mails are not written in."""
    if language not in LANGUAGES:
        msg = f"The language is one of {', '.join(LANGUAGES)}."
        raise InvalidInput(msg)
    return language

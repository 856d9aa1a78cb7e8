"""What a username, an email address and a password must be like."""

import re
from dataclasses import dataclass, field

MAX_USERNAME_CHARACTERS = 100
MAX_EMAIL_CHARACTERS = 254
MIN_PASSWORD_CHARACTERS = 8
#: Longer ones would let a caller choose how long hashing takes.
MAX_PASSWORD_CHARACTERS = 1024

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

USERNAME_TAKEN = "This username is already taken."
EMAIL_TAKEN = "This email address is already registered."


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account that somebody asks for; name and address without surrounding white space."""

    username: str
    email: str
    password: str = field(repr=False)

    @classmethod
    def of(cls, username: str, email: str, password: str) -> "NewAccount":
        """Tidy what a form sends; the password is left as it is."""
        return cls(username.strip(), email.strip(), password)


def account_problems(account: NewAccount) -> list[str]:
    """Return everything that is wrong with the account by itself, as sentences."""
    return identity_problems(account) + password_problems(account.password)


def identity_problems(account: NewAccount) -> list[str]:
    """Return what is wrong with the username and the email address, as sentences."""
    return _username_problems(account) + _email_problems(account.email)


def password_problems(password: str) -> list[str]:
    """Return what the password lacks, as at most one sentence."""
    if len(password) > MAX_PASSWORD_CHARACTERS:
        return [f"The password must have at most {MAX_PASSWORD_CHARACTERS} characters."]
    lacks = []
    if len(password) < MIN_PASSWORD_CHARACTERS:
        lacks.append(f"at least {MIN_PASSWORD_CHARACTERS} characters")
    if not any(character.isupper() for character in password):
        lacks.append("an upper-case letter")
    if not any(character.isdigit() for character in password):
        lacks.append("a digit")
    if all(character.isalnum() for character in password):
        lacks.append("a special character")
    return [f"The password needs {', '.join(lacks)}."] if lacks else []


def _username_problems(account: NewAccount) -> list[str]:
    username = account.username
    if not username:
        return ["A username is required."]
    if len(username) > MAX_USERNAME_CHARACTERS:
        return [f"The username must have at most {MAX_USERNAME_CHARACTERS} characters."]
    # Login takes either; somebody else's address as a username would catch their logins.
    if "@" in username and username.lower() != account.email.lower():
        return ["A username with @ must be the account's own email address."]
    return []


def _email_problems(email: str) -> list[str]:
    if len(email) > MAX_EMAIL_CHARACTERS or not _EMAIL.fullmatch(email):
        return ["A valid email address is required."]
    return []

"""What a username, an email address and a password must be like."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.gallery.accounts.names import (
    email_key,
    is_email,
    is_username,
    tidy_email,
    tidy_username,
)

MAX_USERNAME_CHARACTERS = 100
MAX_EMAIL_CHARACTERS = 254
MIN_PASSWORD_CHARACTERS = 8
#: Longer ones would let a caller choose how long hashing takes.
MAX_PASSWORD_CHARACTERS = 1024
#: Of the five of zxcvbn (0 to 4): a million guesses, while logins are limited and hashes slow.
MIN_STRENGTH = 2
#: With the account's own name or address in it, which others begin with: a hundred million.
MIN_STRENGTH_WITH_OWN_WORDS = 3
#: Judging takes up to 0.2 s for so many, and 6 s for 200. What is strong enough stays it with more.
JUDGED_CHARACTERS = 32

#: What `password_problems` and `strength_problems` ask for, said before somebody chooses one.
PASSWORD_RULE = (
    f"The password needs at least {MIN_PASSWORD_CHARACTERS} characters, with an upper-case letter,"
    " a digit and a special character, and must not be easy to guess."
)
USERNAME_TAKEN = "This username is already taken."
EMAIL_TAKEN = "This email address is already registered."


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account that somebody asks for; name, address and password as they are stored."""

    username: str
    email: str
    password: str = field(repr=False)

    @classmethod
    def of(cls, username: str, email: str, password: str) -> "NewAccount":
        """Tidy what a form sends."""
        return cls(tidy_username(username), tidy_email(email), tidy_password(password))


def tidy_password(password: str) -> str:
    """Return the password as it is hashed: keyboards write the same letter in several ways."""
    return unicodedata.normalize("NFKC", password[: MAX_PASSWORD_CHARACTERS + 1])


def account_problems(account: NewAccount) -> list[str]:
    """Return everything that is wrong with the account by itself, as sentences."""
    return identity_problems(account) + password_problems(account.password)


def identity_problems(account: NewAccount) -> list[str]:
    """Return what is wrong with the username and the email address, as sentences."""
    return username_problems(account) + email_problems(account.email)


def password_problems(password: str) -> list[str]:
    """Return what the password lacks, as at most one sentence.

    A letter of a script without case, as 字 or א, is as good as an upper-case one.
    """
    if len(password) > MAX_PASSWORD_CHARACTERS:
        return [f"The password must have at most {MAX_PASSWORD_CHARACTERS} characters."]
    kinds = {unicodedata.category(character) for character in password}
    lacks = []
    if len(password) < MIN_PASSWORD_CHARACTERS:
        lacks.append(f"at least {MIN_PASSWORD_CHARACTERS} characters")
    if not kinds & {"Lu", "Lt", "Lo"}:
        lacks.append("an upper-case letter")
    if "Nd" not in kinds:
        lacks.append("a digit")
    if not any(kind[0] in "PSZ" for kind in kinds):
        lacks.append("a special character")
    return [f"The password needs {', '.join(lacks)}."] if lacks else []


def strength_problems(password: str, *, about: Sequence[str] = ()) -> list[str]:
    """Return why the password is too easy to guess, as at most one sentence and advice.

    `about` are words that others try first: the account's name and address. Takes up to 0.2 s.
    """
    # Its lists of words take 0.1 s and 10 MB, which commands that make no account save.
    from zxcvbn import zxcvbn

    words = [part for word in about for part in (word, *word.split("@")) if part]
    found = zxcvbn(password[:JUDGED_CHARACTERS], [word[:JUDGED_CHARACTERS] for word in words])
    has_own_words = any(part.get("dictionary_name") == "user_inputs" for part in found["sequence"])
    if found["score"] >= (MIN_STRENGTH_WITH_OWN_WORDS if has_own_words else MIN_STRENGTH):
        return []
    feedback = found["feedback"]
    own = "It has your name or address in it." if has_own_words else ""
    told = [own, feedback["warning"], *feedback["suggestions"]]
    advice = " ".join(f"{one.rstrip('.')}." for one in told if one)
    return [f"The password is too easy to guess. {advice}".replace(";", ",").strip()]


def username_problems(account: NewAccount) -> list[str]:
    """Return what is wrong with the username of this account, as sentences."""
    username = account.username
    if not username:
        return ["A username is required."]
    if len(username) > MAX_USERNAME_CHARACTERS:
        return [f"The username must have at most {MAX_USERNAME_CHARACTERS} characters."]
    if not is_username(username):
        return [
            "The username may have letters of one alphabet, digits, spaces and signs like . - _ '"
            " and nothing that is not seen."
        ]
    # Login takes either; somebody else's address as a username would catch their logins.
    if "@" in username and email_key(username) != email_key(account.email):
        return ["A username with @ must be the account's own email address."]
    return []


def email_problems(email: str) -> list[str]:
    """Return what is wrong with the email address, as sentences."""
    if len(email) > MAX_EMAIL_CHARACTERS or not is_email(email):
        return ["A valid email address is required."]
    return []

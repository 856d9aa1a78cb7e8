"""How usernames and email addresses are stored, and by which form they are compared.

A username is stored as RFC 8265 asks (profile UsernameCasePreserved), in Unicode's NFKC. Names that
look alike but for case, width or the way their accents are written have one key, and one account.
"""

import unicodedata
from contextlib import suppress

import email_validator
from email_validator import EmailNotValidError, validate_email
from precis_i18n import get_profile

from libs.common.visible_text import is_visible, without_selectors

#: Scripts whose letters look alike: within one word only one of them is used.
_LOOK_ALIKE_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC")
#: Letters that look the same, small or as capitals, in Latin, Cyrillic and Greek; a space where
#: there is none.
_ALIKE = (
    "abcdehhijkmnopqstvwxyz",
    "авсԁенһіјкмпорԛѕтѵԝху ",
    "αβ  εη ιϳκμνορ  τν χγζ",
)
#: For each of the three, its letters in place of others'.
_IN_SCRIPT = [
    {
        ord(theirs): ours
        for others in _ALIKE
        for theirs, ours in zip(others, script, strict=True)
        if others is not script and theirs != " " and ours != " "
    }
    for script in _ALIKE
]
#: Phones write these by themselves where the key says an apostrophe.
_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u02bc": "'"})

_USERNAME = get_profile("UsernameCasePreserved")
# As the library documents it. Whether mail arrives at .local or .test, sending it shows.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def tidy_username(username: str) -> str:
    """Return the name as it is stored, words with one space between; checked elsewhere."""
    return " ".join(unicodedata.normalize("NFKC", username).translate(_QUOTES).split())


def is_username(tidy: str) -> bool:
    """Whether every word of a tidy name is one by RFC 8265, and of one script."""
    words = tidy.split()
    if not is_visible(tidy) or not any(unicodedata.category(one)[0] in "LN" for one in tidy):
        return False
    try:
        for word in words:
            if _USERNAME.enforce(word) != word:
                return False
    except UnicodeError:
        return False
    return not any(_mixes_scripts(word) for word in words)


def username_key(username: str) -> str:
    """Return the form by which names are compared; also of names that would be refused."""
    return _key(username.translate(_QUOTES))


def username_looks(username: str) -> set[str]:
    """Return the keys of all names that look like it, each written in one alphabet."""
    key = username_key(without_selectors(username))
    return {key} | {key.translate(script) for script in _IN_SCRIPT}


def tidy_email(email: str) -> str:
    """Return an address as it is stored; one that is none, as it was typed."""
    try:
        return validate_email(email.strip(), check_deliverability=False).normalized
    except EmailNotValidError:
        return email.strip()


def is_email(email: str) -> bool:
    """Whether it has the form of an address; nothing is looked up."""
    try:
        validate_email(email, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True


def email_key(email: str) -> str:
    """Return the form by which addresses are compared: any case, its domain in Unicode."""
    local, at, domain = email.strip().rpartition("@")
    with suppress(EmailNotValidError):  # else it is compared as it is
        domain = validate_email(f"a@{domain}", check_deliverability=False).domain
    return _key(local) + at + _key(domain)


def _key(text: str) -> str:
    """Return Unicode's NFKC_Casefold, without what is not seen and with single spaces."""
    for _ in range(2):  # folding may make characters that are normalized otherwise
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = " ".join(text.split())
    seen = "".join(one for one in text if unicodedata.category(one) not in {"Cf", "Cc", "Cs"})
    return unicodedata.normalize("NFKC", " ".join(seen.split()))


def _mixes_scripts(word: str) -> bool:
    scripts = {
        script
        for one in word
        for script in _LOOK_ALIKE_SCRIPTS
        if unicodedata.name(one, "").startswith(script + " ")
    }
    return len(scripts) > 1

"""Event codes: how they compare, and how new ones are made."""

import secrets
import string

LENGTH = 8
ALPHABET = string.ascii_uppercase + string.digits


def code_key(code: str) -> str:
    """Return the form in which codes compare: upper case, without any white space."""
    return "".join(code.split()).upper()


def generate_code() -> str:
    """Return a random code of 8 upper-case letters and digits (41 bits)."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))

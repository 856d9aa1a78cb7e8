"""How a code that somebody typed finds its event."""

import unicodedata

from sqlalchemy import ColumnElement, or_

from libs.common.database.tables import events

_LOOK_ALIKES = str.maketrans("OIL", "011")


def code_key(code: str) -> str:
    """Return the form in which codes compare exactly: upper case, without any white space."""
    return "".join(code.split()).upper()


def code_look(code: str) -> str:
    """Return the form in which codes look alike: O is 0, I and L are 1."""
    return code_key(unicodedata.normalize("NFKC", code)).translate(_LOOK_ALIKES)


def has_code(code: str) -> ColumnElement[bool]:
    """Whether an event's code is this one, or looks like it."""
    return or_(events.c.code_key == code_key(code), events.c.code_look == code_look(code))

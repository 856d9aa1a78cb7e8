"""Texts in requests: what JSON may spell and PostgreSQL cannot keep is refused."""

from typing import Annotated

from pydantic import AfterValidator


def storable(text: str) -> str:
    """Raises ValueError for a NUL character, and for half of a surrogate pair."""
    if "\x00" in text:
        msg = "must not contain a NUL character"
        raise ValueError(msg)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            msg = "must be valid Unicode: it has half of a surrogate pair"
            raise ValueError(msg) from error
    return text


StorableText = Annotated[str, AfterValidator(storable)]

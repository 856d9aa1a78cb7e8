"""The ids and texts that several routes take."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from libs.common.web.ids import RowId

MAX_TEXT_CHARACTERS = 10_000


def _storable(text: str) -> str:
    """PostgreSQL keeps every character but this one."""
    if "\x00" in text:
        msg = "must not contain a NUL character"
        raise ValueError(msg)
    return text


def none_if_empty(value: object) -> object:
    """Forms send an empty field as an empty string."""
    return None if value == "" else value


Text = Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS), AfterValidator(_storable)]


class NamedGuest(BaseModel):
    """Which guest is meant."""

    user_id: RowId

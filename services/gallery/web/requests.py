"""The ids and texts that several routes take."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, Strict

from libs.common.web.ids import RowId
from libs.common.web.texts import storable

MAX_TEXT_CHARACTERS = 10_000


def none_if_empty(value: object) -> object:
    """Forms send an empty field as an empty string."""
    return None if value == "" else value


#: A text of a JSON body. Strict: the bytes of a body that is no JSON are none, as a form of any
#: website may send them.
Text = Annotated[str, Strict(), Field(max_length=MAX_TEXT_CHARACTERS), AfterValidator(storable)]


class NamedGuest(BaseModel):
    """Which guest is meant."""

    user_id: RowId

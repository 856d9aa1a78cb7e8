"""Request fields that several routes share."""

from typing import Annotated

from fastapi import Depends, Query
from pydantic import AfterValidator, BaseModel, Field

from libs.common.web.ids import RowId
from services.gallery.web.paging import MAX_LIMIT, Page, decode_cursor

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


async def _page(
    limit: Annotated[int | None, Query(ge=1)] = None, cursor: str | None = None
) -> Page:
    return Page(
        limit=min(limit, MAX_LIMIT) if limit is not None else None,
        after=decode_cursor(cursor) if cursor else None,
    )


RequestedPage = Annotated[Page, Depends(_page)]

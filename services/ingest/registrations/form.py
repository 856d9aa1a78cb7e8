"""Forms of a selfie and a few texts: what OpenAPI says of them, and how they are read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from libs.common.errors import InvalidInput
from libs.common.registrations import MAX_TEXT_CHARACTERS
from libs.common.web.texts import storable
from services.ingest.byte_source import read_prefix
from services.ingest.request_body import MultipartReader, multipart_form
from services.ingest.selfies.receive_selfie import FILE_FIELD, of_selfie, read_selfie

#: UTF-8 has up to four bytes for a character.
_MAX_FIELD_BYTES = 4 * MAX_TEXT_CHARACTERS


@dataclass(frozen=True, slots=True)
class SelfieForm:
    """What the form says, by field, and the picture that came with it."""

    texts: dict[str, str] = field(repr=False)
    content: bytes = field(repr=False)


async def read_form(
    parts: MultipartReader,
    *,
    required: Sequence[str],
    optional: Sequence[str] = (),
    max_bytes: int,
) -> SelfieForm:
    """Read the fields and the file, in any order. Raises InvalidInput."""
    with of_selfie(max_bytes):
        texts: dict[str, str] = {}
        content: bytes | None = None
        while part := await parts.next_part():
            if part.name == FILE_FIELD and content is None:
                content = await read_selfie(part, max_bytes)
            elif part.name in required or part.name in optional:
                texts[part.name] = _text(part.name, await read_prefix(part, _MAX_FIELD_BYTES + 1))
    missing = [name for name in required if name not in texts]
    if content is None:
        missing.append(FILE_FIELD)
    if missing or content is None:
        msg = f"The form lacks {', '.join(missing)}. Send all of it as multipart/form-data."
        raise InvalidInput(msg)
    return SelfieForm(texts, content)


def form_document(required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Any]:
    """What OpenAPI says of the form."""
    form = multipart_form(FILE_FIELD)
    schema = form["requestBody"]["content"]["multipart/form-data"]["schema"]
    schema["required"] = [*required, FILE_FIELD]
    schema["properties"] |= {name: {"type": "string"} for name in (*required, *optional)}
    return form


def _text(name: str, value: bytes) -> str:
    try:
        text = storable(value.decode())
    except ValueError as error:
        msg = f"{name} is no text. Send it as UTF-8, without NUL characters."
        raise InvalidInput(msg) from error
    if len(text) > MAX_TEXT_CHARACTERS:
        msg = f"{name} is longer than {MAX_TEXT_CHARACTERS} characters."
        raise InvalidInput(msg)
    return text

"""What a photo is called: the name that its sender gave it, as people can read it."""

import unicodedata

from libs.common.images.formats import ImageFormat

MAX_NAME_CHARACTERS = 255
#: What a file without a name is called.
UNNAMED = "photo"
#: An extension longer than this is no extension.
_MAX_EXTENSION_CHARACTERS = 16

#: Control characters, lone surrogates (not encodable), line and paragraph separators.
_REMOVED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
#: Characters that turn the direction of text can make `gpj.exe` read as `exe.jpg`.
_REMOVED_CHARACTERS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def display_name(sent: bytes) -> str:
    """Return the last component of a path of either system, as text of at most 255 characters.

    Everything people can read is kept, characters beyond the basic plane included.
    """
    name = _decoded(sent).replace("\\", "/").rpartition("/")[2]
    name = "".join(character for character in name if not _is_removed(character))
    name = _shortened(unicodedata.normalize("NFC", name).strip())
    return UNNAMED if name in {"", ".", ".."} else name


def with_extension(name: str, image_format: ImageFormat) -> str:
    """Return the name of a file that nobody named with what its format's files end in."""
    return f"{name}.{image_format.extension}" if name == UNNAMED else name


def _decoded(sent: bytes) -> str:
    """Return the bytes as text: UTF-8, else Latin-1, which any bytes are."""
    try:
        return sent.decode()
    except UnicodeDecodeError:
        return sent.decode("latin-1")


def _is_removed(character: str) -> bool:
    return (
        character in _REMOVED_CHARACTERS or unicodedata.category(character) in _REMOVED_CATEGORIES
    )


def _shortened(name: str) -> str:
    if len(name) <= MAX_NAME_CHARACTERS:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension) > _MAX_EXTENSION_CHARACTERS:
        return name[:MAX_NAME_CHARACTERS].strip()
    return stem[: MAX_NAME_CHARACTERS - 1 - len(extension)] + dot + extension

"""The name a file had on its owner's machine, made fit to be shown."""

import unicodedata

MAX_NAME_CHARACTERS = 255
#: An extension longer than this is no extension.
_MAX_EXTENSION_CHARACTERS = 16
UNNAMED = "photo"

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
    name = sent.decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
    name = "".join(character for character in name if not _is_removed(character))
    name = _shortened(unicodedata.normalize("NFC", name).strip())
    return UNNAMED if name in {"", ".", ".."} else name


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

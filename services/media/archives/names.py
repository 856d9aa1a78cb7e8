"""What a photo is called in an archive: as it was uploaded, as far as every system can unpack it.

Windows is the strictest: some characters and some words are no names there, and two names that
differ by upper and lower case are one file. A name is never a way out of the folder.
"""

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from libs.common.images.formats import ImageFormat

#: Of one part of a name; a path of three of them stays below the 260 letters that Windows takes.
MAX_CHARACTERS: Final = 100
#: The same: file systems take 255 bytes, with the extension and the number of a doubled name.
MAX_BYTES: Final = 240
UNNAMED: Final = "photo"
#: Of photos whose photographer's account is gone.
NO_PHOTOGRAPHER: Final = "Other photos"

_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
#: Devices, which Windows knows in every folder and with every extension.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)", re.IGNORECASE)
#: Control, format, half of a pair, private, unassigned; line and paragraph separators: what nobody
#: sees, or what turns the rest of a name round so that "gpj.exe" reads as a picture.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: Makes one picture of two (a family), and one letter where scripts join them: these show it.
_JOINER: Final = "\u200d"
_JOINED: Final = frozenset({"So", "Sk", "Lo", "Mn", "Mc"})
_EXTENSIONS: Final = {
    **{form.extension: {form.extension} for form in ImageFormat},
    "jpg": {"jpg", "jpeg", "jpe", "jfif"},
    "tiff": {"tiff", "tif"},
    "heic": {"heic", "heif", "hif"},
    "nef": {"nef", "nrw"},
    "arw": {"arw", "sr2", "srf"},
    "rw2": {"rw2", "rwl", "raw"},
}


def file_name(uploaded: str, extension: str) -> str:
    """Return a photo's name; one that does not end as what the photo is, ends so in addition."""
    stem, dot, last = uploaded.rpartition(".")
    known = _EXTENSIONS.get(extension, {extension})
    if not dot or last.lower() not in known:
        stem, last = uploaded, extension
    return f"{folder_name(stem, UNNAMED)}.{last}"


def folder_name(text: str, otherwise: str) -> str:
    """Return a part of a path that every system takes; `otherwise` where nothing is left."""
    shown = "".join(one for at, one in enumerate(text) if _is_shown(text, at))
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", shown))
    # Windows drops dots and spaces at the end; ".." would lead out of the folder.
    name = _cut(name.strip()).rstrip(f". {_JOINER}") or otherwise
    return f"_{name}" if _RESERVED.match(name) else name


def _is_shown(text: str, at: int) -> bool:
    if text[at] == _JOINER:
        beside = (text[at - 1 : at], text[at + 1 : at + 2])
        return all(one and unicodedata.category(one) in _JOINED for one in beside)
    return unicodedata.category(text[at]) not in _HIDDEN


def _cut(name: str) -> str:
    """Return as much of a name as every system takes, in whole characters."""
    return name[:MAX_CHARACTERS].encode()[:MAX_BYTES].decode(errors="ignore")


def day_name(moment: datetime) -> str:
    """Return the folder of a day; by name they are in the order of time."""
    return f"{moment:%Y-%m-%d}"


class Numbered:
    """Gives each name once: the second IMG_1.jpg is IMG_1 (2).jpg, as browsers number them."""

    def __init__(self) -> None:
        self._given: set[str] = set()
        self._counts: dict[str, int] = {}

    def unique(self, folder: str, name: str) -> str:
        """Return the path of a file of this name; the same calls give the same paths."""
        tried = self._tried(f"{folder}/{name}" if folder else name)
        path = next(path for path in tried if _compared(path) not in self._given)
        self._given.add(_compared(path))
        return path

    def _tried(self, path: str) -> Iterator[str]:
        yield path
        stem, _, extension = path.rpartition(".")
        first = _compared(path)
        while True:
            # Where it went on last time: of 5,000 that are all image.jpg none tries all before it.
            number = self._counts[first] = self._counts.get(first, 1) + 1
            yield f"{stem} ({number}).{extension}"


def _compared(path: str) -> str:
    """Return the form by which file systems that ignore case compare."""
    return unicodedata.normalize("NFC", path.casefold())

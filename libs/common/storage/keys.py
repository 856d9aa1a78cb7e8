"""Where each object lies, and which keys the stores accept: one rule for every adapter.

An event's photos and renditions go with the event's prefix.

Selfies lie under their guest, who may be in several events, so that removing one event
does not take the selfie from the others, and removing the account takes all of it.
"""

import re
import uuid

from libs.common.errors import InvalidInput

#: S3's limit for a key, and a file system's usual limit for one name.
MAX_KEY_BYTES = 1024
MAX_SEGMENT_BYTES = 255

#: The last part of the key of a photo as guests get it.
GUEST_COPY = "guest-copy"

#: Where the folder adapter keeps unfinished objects; no key may reach into it.
PARTS_DIRECTORY = ".parts"


#: What guests get of a photo; a link's key may begin with a word of its own.
_FOR_GUESTS = re.compile(
    rf"((?:[a-z]+/)?events/[0-9]+/renditions/[^/]+/)(?:{GUEST_COPY}|(?:thumbnail|preview)\.webp)",
    re.ASCII,
)


#: What all our own keys are: looked at once for each request, and not segment by segment.
_PLAIN = re.compile(
    r"[a-z0-9][a-zA-Z0-9._-]{0,254}(?:/[a-zA-Z0-9][a-zA-Z0-9._-]{0,254})*", re.ASCII
)


#: What `upload_prefix` returns.
UPLOAD_PREFIX = re.compile(r"events/[0-9]+/uploads/[^/]+/", re.ASCII)


class InvalidKey(InvalidInput):
    """The key cannot name an object, or would leave the store."""

    def __init__(self, key: str) -> None:
        super().__init__(f"This is not an object key: {key[:100]!r}")
        self.key = key


def checked_key(key: str) -> str:
    """Return the key of one object; raises InvalidKey."""
    if len(key) <= MAX_KEY_BYTES and _PLAIN.fullmatch(key) is not None:
        return key
    segments = key.split("/")
    if not all(_is_plain(segment) for segment in segments) or segments[0] == PARTS_DIRECTORY:
        raise InvalidKey(key)
    if len(key.encode()) > MAX_KEY_BYTES:
        raise InvalidKey(key)
    return key


def checked_prefix(prefix: str) -> str:
    """Return a prefix: empty, or the beginning of a key, cut anywhere. Raises InvalidKey."""
    if prefix:
        checked_key(prefix + "x" if prefix.endswith("/") else prefix)
    return prefix


def checked_folder(prefix: str) -> str:
    """Return a prefix that ends in a slash, so that `events/1` never means `events/12` too.

    Raises InvalidKey.
    """
    if not prefix.endswith("/"):
        raise InvalidKey(prefix)
    return checked_prefix(prefix)


def event_prefix(event_id: int) -> str:
    """Prefix of everything that belongs to one event."""
    return f"events/{event_id}/"


def photo_key(event_id: int, filename: str) -> str:
    """Key of a photo's original bytes."""
    return f"events/{event_id}/photos/{filename}"


def renditions_prefix(event_id: int, filename: str) -> str:
    """Prefix of all renditions of one photo."""
    return f"events/{event_id}/renditions/{filename}/"


def rendition_name(name: str) -> str:
    """The last part of a rendition's key."""
    return f"{name}.webp"


def rendition_key(event_id: int, filename: str, name: str) -> str:
    """Key of one rendition, for example `thumbnail` or `preview`."""
    return renditions_prefix(event_id, filename) + rendition_name(name)


def failed_rendition_key(event_id: int, filename: str, name: str) -> str:
    """Key of the note that a rendition could not be made."""
    return f"{renditions_prefix(event_id, filename)}{name}.failed.json"


def guest_copy_key(event_id: int, filename: str) -> str:
    """Key of a photo as guests get it: without place, names and serial numbers."""
    return f"{renditions_prefix(event_id, filename)}{GUEST_COPY}"


def guests_folder(key: str) -> str | None:
    """Return the folder of an object that guests get of a photo, with its slash.

    These are its copy for guests, preview and thumbnail; None for everything else that lies there.
    """
    found = _FOR_GUESTS.fullmatch(key)
    return found[1] if found else None


def upload_prefix(event_id: int, upload_id: uuid.UUID) -> str:
    """Prefix of what has come of an upload that comes in pieces."""
    return f"events/{event_id}/uploads/{upload_id}/"


def user_prefix(user_id: int) -> str:
    """Prefix of everything that belongs to one person."""
    return f"users/{user_id}/"


def selfie_key(user_id: int, filename: str) -> str:
    """Key of a guest's selfie."""
    return f"users/{user_id}/selfies/{filename}"


def _is_plain(segment: str) -> bool:
    if segment in {"", ".", ".."} or "\0" in segment or "\\" in segment:
        return False
    try:
        return len(segment.encode()) <= MAX_SEGMENT_BYTES
    except UnicodeEncodeError:
        return False

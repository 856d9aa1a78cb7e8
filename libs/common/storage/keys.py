"""Where each object lies, and which keys the stores accept: one rule for every adapter.

An event's photos and renditions go with the event's prefix.

Selfies lie under their guest, who may be in several events, so that removing one event
does not take the selfie from the others, and removing the account takes all of it.
"""

from libs.common.errors import InvalidInput

#: S3's limit for a key, and a file system's usual limit for one name.
MAX_KEY_BYTES = 1024
MAX_SEGMENT_BYTES = 255

#: Where the folder adapter keeps unfinished objects; no key may reach into it.
PARTS_DIRECTORY = ".parts"


class InvalidKey(InvalidInput):
    """The key cannot name an object, or would leave the store."""

    def __init__(self, key: str) -> None:
        super().__init__(f"This is not an object key: {key[:100]!r}")
        self.key = key


def checked_key(key: str) -> str:
    """Return the key of one object; raises InvalidKey."""
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


def rendition_key(event_id: int, filename: str, name: str) -> str:
    """Key of one rendition, for example `thumbnail` or `preview`."""
    return f"{renditions_prefix(event_id, filename)}{name}.webp"


def failed_rendition_key(event_id: int, filename: str, name: str) -> str:
    """Key of the note that a rendition could not be made."""
    return f"{renditions_prefix(event_id, filename)}{name}.failed.json"


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

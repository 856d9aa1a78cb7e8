"""Which keys the stores accept: the same rule for every adapter, so that none is laxer."""

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


def _is_plain(segment: str) -> bool:
    if segment in {"", ".", ".."} or "\0" in segment or "\\" in segment:
        return False
    try:
        return len(segment.encode()) <= MAX_SEGMENT_BYTES
    except UnicodeEncodeError:
        return False

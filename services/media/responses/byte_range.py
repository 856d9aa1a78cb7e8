"""Which bytes of an object answer a request: RFC 9110, sections 13 and 14, as one function.

One range is served; several at once are answered with the whole, which the RFC allows.
"""

import re
from dataclasses import dataclass

_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')
# What is weak is read, too, so that its end does not begin another one.
_STRONG_TAG = re.compile(r'W/"[^"]*"|("[^"]*")')
# Lengths bounded: no object has 10^18 bytes, and int() refuses thousands of digits.
_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and the bytes `start` (included) to `end` (excluded) that go with it."""

    status: int
    start: int
    end: int

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a request says about the bytes it wants; None for a header that is not there."""

    if_match: str | None = None
    if_none_match: str | None = None
    range: str | None = None
    if_range: str | None = None


def choose(conditions: Conditions, *, size_bytes: int, etag: str) -> Answer:
    """Return 200, 206, 304, 412 or 416 for an object of this size and strong entity tag.

    If-Unmodified-Since is ignored, as it is to be where no Last-Modified is sent.
    """
    whole = Answer(200, 0, size_bytes)
    if conditions.if_match is not None and not _is_same(conditions.if_match, etag):
        return Answer(412, 0, 0)
    if conditions.if_none_match is not None and _matches(conditions.if_none_match, etag):
        return Answer(304, 0, 0)
    if conditions.range is None:
        return whole
    # A date in If-Range never matches: no Last-Modified is sent that it could come from.
    if conditions.if_range is not None and conditions.if_range.strip() != etag:
        return whole
    return _ranged(conditions.range, size_bytes) or whole


def _is_same(header: str, etag: str) -> bool:
    """Compare strongly, as If-Match asks for: a weak tag is never the same."""
    return header.strip() == "*" or etag in _STRONG_TAG.findall(header)


def _matches(header: str, etag: str) -> bool:
    """Compare weakly, as If-None-Match asks for."""
    return header.strip() == "*" or etag in _ENTITY_TAG.findall(header)


def _ranged(header: str, size_bytes: int) -> Answer | None:
    """Return None for what is no single valid range: such a header is ignored."""
    found = _ONE_RANGE.fullmatch(header.strip())
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if not first:
        start, end = max(0, size_bytes - int(last)), size_bytes
    else:
        if last and int(last) < int(first):
            return None
        start = int(first)
        end = min(int(last) + 1, size_bytes) if last else size_bytes
    return Answer(206, start, end) if start < end else Answer(416, 0, 0)

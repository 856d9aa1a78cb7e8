"""A page of a list in memory: its tag, and its bytes in each coding that was asked for."""

import asyncio
import hashlib
from collections.abc import Sequence

from services.gallery.lists.codings import MIN_CODED_BYTES, Coding, decoded, encoded
from services.gallery.web.answers import View
from services.gallery.web.paging import Place

#: More is coded in a thread: 0.4 ms of the event loop's time.
MAX_BYTES_ON_LOOP = 512 * 1024
_TAG_BYTES = 16

#: A photo as a list shows it, and where it stands in it.
PlacedView = tuple[View, Place]


class ListPage:
    """Its bytes are joined and coded when they are first asked for, not for a 304.

    The tag is a digest of what the page holds, so it is the same in every replica, after a restart,
    and whenever a list becomes again what it was; what differs has another one.
    """

    __slots__ = ("_pieces", "_size_bytes", "bodies", "next_cursor", "tag")

    def __init__(
        self,
        pieces: Sequence[bytes],
        digests: Sequence[bytes],
        *,
        next_cursor: str | None = None,
    ) -> None:
        """`pieces` make up the body, and `digests` tell it from all others, in their order.

        `next_cursor` is None on the last page.
        """
        self.next_cursor = next_cursor
        self._pieces: Sequence[bytes] | None = pieces
        #: As far as they were asked for.
        self.bodies: dict[Coding, bytes] = {}
        self._size_bytes = sum(map(len, pieces))
        # A page with a successor differs from one without.
        digest = hashlib.blake2b(
            b"".join(digests), digest_size=_TAG_BYTES, key=(next_cursor or "").encode()
        )
        self.tag = digest.hexdigest()

    @classmethod
    def of_body(cls, body: bytes, next_cursor: str | None = None) -> "ListPage":
        """Return a page that is encoded already."""
        return cls([body], [body], next_cursor=next_cursor)

    @property
    def held_bytes(self) -> int:
        """What it holds in memory, at the most: pieces may be other pages', too."""
        joined = sum(map(len, self.bodies.values()))
        return joined if self._pieces is None else joined + self._size_bytes

    def coding(self, wanted: Coding) -> Coding:
        """Return the coding in which it is sent: small ones go as they are."""
        return wanted if self._size_bytes >= MIN_CODED_BYTES else Coding.IDENTITY

    def etag(self, coding: Coding) -> str:
        """Return the strong tag of its bytes in this coding (RFC 9110, 8.8.3.3)."""
        suffix = "" if coding is Coding.IDENTITY else f"-{coding.value}"
        return f'"{self.tag}{suffix}"'

    async def body(self, coding: Coding) -> bytes:
        """Return its bytes in this coding."""
        found = self.bodies.get(coding)
        if found is not None:
            return found
        pieces, kept = self._pieces, Coding.IDENTITY
        if pieces is None:
            kept, body = next(iter(self.bodies.items()))
            pieces = [body]
        if self._size_bytes > MAX_BYTES_ON_LOOP:
            found = await asyncio.to_thread(_made, pieces, kept, coding)
        else:
            found = _made(pieces, kept, coding)
        self.bodies[coding] = found
        # What is kept can be decoded; the pieces would keep parts that nobody else needs.
        self._pieces = None
        return found

    def take_over(self, former: "ListPage") -> None:
        """Have what was made of the same page before, if it was the same."""
        if former.tag == self.tag and former.bodies:
            self.bodies |= former.bodies
            self._pieces = None


def _made(pieces: Sequence[bytes], kept: Coding, wanted: Coding) -> bytes:
    return encoded(decoded(b"".join(pieces), kept), wanted)

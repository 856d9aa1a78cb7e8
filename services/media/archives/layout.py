"""Where everything lies in an archive, before anything of it is read.

Sizes and CRC-32s are known, so every byte of the archive has its place: a part of it is read
without what comes before, and the same photos make the same bytes each time.
"""

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from services.media.archives.zip_format import (
    File,
    central_record,
    end_of_archive,
    local_header,
)

#: Records of the directory that are made, and sent, at a time: some 50 kB.
RECORDS_AT_ONCE: Final = 500
#: Changes whenever other bytes are made of the same photos: parts of both must not be mixed.
FORM: Final = b"1"

ContentT = TypeVar("ContentT")


@dataclass(frozen=True, slots=True)
class Entry(Generic[ContentT]):
    """A file of the archive, and what its bytes are read from."""

    file: File
    content: ContentT


@dataclass(frozen=True, slots=True)
class Stored(Generic[ContentT]):
    """Bytes of a file, from `start` up to `end`."""

    entry: Entry[ContentT]
    #: Of the file in the archive, from 0 on.
    number: int
    start: int
    end: int


class Layout(Generic[ContentT]):
    """An archive of entries that are added one after the other, and then closed.

    Takes some 500 bytes an entry.
    """

    def __init__(self) -> None:
        self._entries: list[Entry[ContentT]] = []
        #: Where each entry's local header begins, and its record in the directory.
        self._starts = array("Q")
        self._records = array("Q")
        self._directory_bytes = 0
        self._files_bytes = 0
        self._digest = hashlib.blake2b(FORM, digest_size=16)

    def add(self, entry: Entry[ContentT], *, version: str) -> None:
        """Add a file; `version` names its bytes, of which each has its own."""
        file = entry.file
        self._entries.append(entry)
        self._starts.append(self._files_bytes)
        self._records.append(self._directory_bytes)
        self._directory_bytes += file.central_bytes(self._files_bytes)
        self._files_bytes += file.local_bytes + file.size_bytes
        told = f"{version}:{file.size_bytes}:{file.crc32}:{file.dos_time}:{len(file.name)}:"
        self._digest.update(told.encode() + file.name)

    @property
    def etag(self) -> str:
        """The archive's strong tag, quoted as HTTP wants it."""
        return f'"{self._digest.hexdigest()}"'

    @property
    def size_bytes(self) -> int:
        """How long the whole archive is."""
        return self._files_bytes + self._directory_bytes + len(self._end())

    def __len__(self) -> int:
        return len(self._entries)

    def entries(self, first: int, count: int) -> Sequence[Entry[ContentT]]:
        """Return so many of the archive's files, or those that are left, in their order."""
        return self._entries[first : first + count]

    def part(self, start: int, end: int) -> Iterator[bytes | Stored[ContentT]]:
        """Yield what lies from `start` up to `end`: records, and what is to be read of files."""
        yield from self._files(start, end)
        at = self._files_bytes
        yield from self._directory(max(start - at, 0), end - at)
        at += self._directory_bytes
        if last := _cut(self._end(), start - at, end - at):
            yield last

    def _files(self, start: int, end: int) -> Iterator[bytes | Stored[ContentT]]:
        if start >= self._files_bytes:
            return
        first = bisect_right(self._starts, start) - 1
        for number in range(first, len(self._entries)):
            at = self._starts[number]
            if at >= end:
                return
            entry = self._entries[number]
            head = local_header(entry.file)
            if piece := _cut(head, start - at, end - at):
                yield piece
            at += len(head)
            last = min(end - at, entry.file.size_bytes)
            stored = Stored(entry, number, max(start - at, 0), last)
            if stored.start < stored.end:
                yield stored

    def _directory(self, start: int, end: int) -> Iterator[bytes]:
        if start >= self._directory_bytes:
            return
        first = bisect_right(self._records, start) - 1
        while first < len(self._entries) and self._records[first] < end:
            last = first + RECORDS_AT_ONCE
            described = zip(self._entries[first:last], self._starts[first:last], strict=True)
            records = b"".join(central_record(entry.file, at) for entry, at in described)
            at = self._records[first]
            yield _cut(records, start - at, end - at)
            first = last

    def _end(self) -> bytes:
        return end_of_archive(
            files=len(self._entries), start=self._files_bytes, size_bytes=self._directory_bytes
        )


def _cut(data: bytes, start: int, end: int) -> bytes:
    return data[max(start, 0) : max(end, 0)]

"""The records of a ZIP archive (PKWARE's APPNOTE 6.3.10) whose files are stored as they are.

Each is a function of what is known before the first byte is sent, and its length of less than that:
so an archive can be sent from any byte on. The libraries that write archives cannot begin in the
middle of one.
"""

import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Final

#: Where a number of 32 or 16 bits says that the true one is among those of ZIP64.
_FULL_32: Final = 0xFFFFFFFF
_FULL_16: Final = 0xFFFF
#: What is needed to unpack: 2.0, and 4.5 for ZIP64. Written by Unix, which has the files' modes.
_VERSION: Final = 20
_VERSION_64: Final = 45
_BY_UNIX: Final = 3 << 8
#: Names are UTF-8.
_FLAGS: Final = 0x800
_STORED: Final = 0
_FILE_MODE: Final = 0o100644 << 16
_ZIP64_EXTRA: Final = 1

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR_64 = struct.Struct("<4sIQI")

_FIRST = datetime(1980, 1, 1)  # noqa: DTZ001 - the format knows no time zones
_LAST = datetime(2107, 12, 31, 23, 59, 58)  # noqa: DTZ001


@dataclass(frozen=True, slots=True)
class File:
    """What an archive says of a file; `dos_time` is date and time of day as `dos_time` gives it."""

    name: bytes
    size_bytes: int
    crc32: int
    dos_time: int

    @property
    def local_bytes(self) -> int:
        """Length of its local header."""
        return _LOCAL.size + len(self.name) + (20 if self.size_bytes >= _FULL_32 else 0)

    def central_bytes(self, offset: int) -> int:
        """Length of its record in the directory."""
        return _CENTRAL.size + len(self.name) + len(_central_extra(self, offset))


def dos_time(moment: datetime) -> int:
    """Return date (upper half) and time of day, to two seconds; without a time zone."""
    at = min(max(moment.replace(tzinfo=None), _FIRST), _LAST)
    date = (at.year - 1980) << 9 | at.month << 5 | at.day
    return date << 16 | at.hour << 11 | at.minute << 5 | at.second // 2


def local_header(file: File) -> bytes:
    """Return what stands before the file's bytes."""
    extra, size = b"", file.size_bytes
    if size >= _FULL_32:
        extra, size = struct.pack("<2H2Q", _ZIP64_EXTRA, 16, size, size), _FULL_32
    head = _LOCAL.pack(
        b"PK\3\4",
        _VERSION_64 if extra else _VERSION,
        _FLAGS,
        _STORED,
        file.dos_time & 0xFFFF,
        file.dos_time >> 16,
        file.crc32,
        size,
        size,
        len(file.name),
        len(extra),
    )
    return head + file.name + extra


def central_record(file: File, offset: int) -> bytes:
    """Return the file's record in the directory; `offset` is where its local header begins."""
    extra = _central_extra(file, offset)
    size = min(file.size_bytes, _FULL_32)
    version = _VERSION_64 if extra else _VERSION
    head = _CENTRAL.pack(
        b"PK\1\2",
        _BY_UNIX | version,
        version,
        _FLAGS,
        _STORED,
        file.dos_time & 0xFFFF,
        file.dos_time >> 16,
        file.crc32,
        size,
        size,
        len(file.name),
        len(extra),
        0,  # no comment
        0,  # on the first disk
        0,  # nothing said of its content
        _FILE_MODE,
        min(offset, _FULL_32),
    )
    return head + file.name + extra


def end_of_archive(*, files: int, start: int, size_bytes: int) -> bytes:
    """Return what stands after the directory, which begins at `start` and is so long."""
    end = _END.pack(
        b"PK\5\6",
        0,
        0,
        min(files, _FULL_16),
        min(files, _FULL_16),
        min(size_bytes, _FULL_32),
        min(start, _FULL_32),
        0,
    )
    if files < _FULL_16 and size_bytes < _FULL_32 and start < _FULL_32:
        return end
    end_64 = _END_64.pack(
        b"PK\6\6",
        _END_64.size - 12,
        _BY_UNIX | _VERSION_64,
        _VERSION_64,
        0,
        0,
        files,
        files,
        size_bytes,
        start,
    )
    return end_64 + _LOCATOR_64.pack(b"PK\6\7", 0, start + size_bytes, 1) + end


def _central_extra(file: File, offset: int) -> bytes:
    """Return the numbers that take more than 32 bits, in the order that the format asks for."""
    numbers = [file.size_bytes] * 2 if file.size_bytes >= _FULL_32 else []
    if offset >= _FULL_32:
        numbers.append(offset)
    if not numbers:
        return b""
    return struct.pack(f"<2H{len(numbers)}Q", _ZIP64_EXTRA, 8 * len(numbers), *numbers)

"""The bytes of archives: opened by what people have, and every part a part of the whole."""

import io
import random
import shutil
import subprocess
import zipfile
import zlib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import IO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.media.archives.layout import Entry, Layout, Stored
from services.media.archives.zip_format import File, dos_time

TAKEN = datetime(2026, 6, 20, 17, 45, 31, tzinfo=UTC)
TOOLS = (
    ("unzip", "-t", "{}"),
    ("7z", "t", "{}"),
    ("bsdtar", "-tf", "{}"),
    ("zip", "-T", "{}"),
)


def layout_of(files: dict[str, bytes]) -> Layout[bytes]:
    layout = Layout[bytes]()
    for name, data in files.items():
        file = File(name.encode(), len(data), zlib.crc32(data), dos_time(TAKEN))
        layout.add(Entry(file, data), version=name)
    return layout


def read(layout: Layout[bytes], start: int = 0, end: int | None = None) -> bytes:
    end = layout.size_bytes if end is None else end
    return b"".join(
        piece.entry.content[piece.start : piece.end] if isinstance(piece, Stored) else piece
        for piece in layout.part(start, end)
    )


@cache
def some_files() -> dict[str, bytes]:
    chance = random.Random(12)
    return {
        f"Tag {number % 3}/é {number}.jpg": chance.randbytes(chance.choice((0, 1, 7, 300)))
        for number in range(1200)
    }


@cache
def some_layout() -> tuple[Layout[bytes], bytes]:
    layout = layout_of(some_files())
    return layout, read(layout)


def test_the_archive_is_opened_by_python() -> None:
    layout, whole = some_layout()
    assert len(whole) == layout.size_bytes
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        assert {info.filename: archive.read(info) for info in archive.infolist()} == some_files()
        first = archive.infolist()[0]
    assert first.date_time == (2026, 6, 20, 17, 45, 30)
    assert first.flag_bits == 0x800
    assert first.external_attr >> 16 == 0o100644


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool[0])
@pytest.mark.parametrize("count", [1, 1200, 70_000])
def test_the_archive_is_opened_by_what_people_have(
    tool: tuple[str, ...], count: int, tmp_path: Path
) -> None:
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")
    files = {f"{number:05}.jpg": b"%d" % number for number in range(count)}
    path = tmp_path / "photos.zip"
    path.write_bytes(read(layout_of(files)))
    done = subprocess.run(
        [part.format(path) for part in tool], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr


@given(st.data())
def test_every_part_is_that_part_of_the_whole(data: st.DataObject) -> None:
    layout, whole = some_layout()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    assert read(layout, start, end) == whole[start:end]


@pytest.mark.parametrize("length", [1, 2, 40])
def test_parts_side_by_side_are_the_whole(length: int) -> None:
    layout = layout_of(dict(list(some_files().items())[:40]))
    whole = read(layout)
    parts = [read(layout, at, at + length)[:length] for at in range(0, len(whole), length)]
    assert b"".join(parts) == whole


def test_the_same_photos_make_the_same_archive_and_others_another_tag() -> None:
    files = some_files()
    assert layout_of(files).etag == layout_of(files).etag
    fewer = dict(list(files.items())[1:])
    renamed = {name.replace("Tag 0", "Day 0"): data for name, data in files.items()}
    assert len({layout_of(each).etag for each in (files, fewer, renamed)}) == 3


def test_no_photos_make_an_archive_that_opens() -> None:
    with zipfile.ZipFile(io.BytesIO(read(layout_of({})))) as archive:
        assert archive.namelist() == []


class Sparse(io.RawIOBase):
    """An archive of zeros as a file, of which only what is asked for is there."""

    def __init__(self, layout: Layout[None]) -> None:
        self._layout = layout
        self._at = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._layout.size_bytes}
        self._at = base[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, target: bytearray) -> int:  # type: ignore[override]
        end = min(self._at + len(target), self._layout.size_bytes)
        data = b"".join(
            bytes(piece.end - piece.start) if isinstance(piece, Stored) else piece
            for piece in self._layout.part(self._at, end)
        )
        target[: len(data)] = data
        self._at += len(data)
        return len(data)


@pytest.mark.parametrize(
    "sizes", [[2**32 - 1, 5], [2**32 + 7, 5], [3_000_000_000, 3_000_000_000, 5], [2**32 - 50, 5]]
)
def test_more_than_four_gigabytes_are_an_archive_too(sizes: list[int]) -> None:
    layout = Layout[None]()
    for number, size in enumerate(sizes):
        crc32 = zlib.crc32(bytes(size)) if size < 100 else 0
        file = File(b"%d.jpg" % number, size, crc32, dos_time(TAKEN))
        layout.add(Entry(file, None), version=str(number))
    with zipfile.ZipFile(cast("IO[bytes]", Sparse(layout))) as archive:
        assert [info.file_size for info in archive.infolist()] == sizes
        assert archive.read(archive.infolist()[-1]) == bytes(5)
        # Looks at the local header, and reads as far as is asked for.
        with archive.open(archive.infolist()[-2]) as opened:
            assert opened.read(10) == bytes(10)


def test_moments_that_the_format_does_not_know_are_the_nearest_that_it_does() -> None:
    for year, known in ((1970, 1980), (2200, 2107)):
        moment = dos_time(datetime(year, 1, 2, tzinfo=UTC))
        assert (moment >> 25) + 1980 == known

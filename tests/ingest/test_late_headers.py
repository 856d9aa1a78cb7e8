"""Photos whose header does not lie in their beginning, by every way and in every store."""

import random
import struct
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.images.formats import ImageFormat
from libs.common.storage.folder import FolderStore
from services.ingest.images.header import (
    HeaderReading,
    ImageHeader,
    UnusableImage,
    read_header,
)
from services.ingest.photos.digesting import BEGINNING_BYTES
from services.ingest.photos.stored_header import read_stored_header
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import new_gallery, running_ingest
from tests.ingest.ways import WAYS
from tests.support.crafted_heif import box
from tests.support.image_files import image_file
from tests.support.late_headers import (
    FIRST_BYTES,
    SIZE,
    TAKEN_AT,
    late_headers,
    png_chunk,
    tiff,
    with_segments,
)
from tests.support.stores import opened

MAX_PIXELS = 100_000_000

files = cache(late_headers)


def begun(content: bytes, length: int = BEGINNING_BYTES) -> HeaderReading:
    size = len(content) if len(content) < length else None
    return HeaderReading(content[:length], size_bytes=size, max_pixels=MAX_PIXELS)


async def read_as_stored(
    content: bytes, folder: Path, length: int = BEGINNING_BYTES
) -> ImageHeader:
    """Read a header as an upload does it: from the beginning, and then from the store."""
    reading = begun(content, length)
    store = await FolderStore.open(folder)
    await store.put("a", content, content_type="image/any")
    return await read_stored_header(reading, "a", len(content), store)


def is_right(width: int, height: int) -> bool:
    """Whether it is the upright size, of which some have a multiple."""
    return (width, height) in {SIZE, (SIZE[0] * 20, SIZE[1] * 10)}


@pytest.mark.parametrize("name", files())
async def test_a_header_is_found_wherever_it_is(name: str, tmp_path: Path) -> None:
    content = files()[name]

    assert begun(content).wanted is not None
    header = await read_as_stored(content, tmp_path)

    assert is_right(header.width, header.height)
    assert header.taken is not None
    assert header.taken.moment == TAKEN_AT
    assert read_header(content, max_pixels=MAX_PIXELS) == header


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(files())), st.data())
def test_how_the_bytes_come_to_hand_changes_nothing(name: str, data: st.DataObject) -> None:
    content = files()[name]
    reading = begun(content, data.draw(st.integers(256, len(content))))

    while (wanted := reading.wanted) is not None:
        start = wanted.within(len(content))
        more = data.draw(st.integers(0, 2**20))
        reading.go_on(start, content[start : start + wanted.length + more], len(content))

    assert reading.header == read_header(content, max_pixels=MAX_PIXELS)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["folder", "s3"])
async def test_it_is_taken_by_every_way(
    kind: str, way: str, request: pytest.FixtureRequest, tmp_path: Path, settings: IngestSettings
) -> None:
    async with AsyncExitStack() as stack:
        open_store = await stack.enter_async_context(opened(kind, request, tmp_path))
        ingest = await stack.enter_async_context(running_ingest(settings, open_store.store))
        gallery = await new_gallery(ingest)
        send = await stack.enter_async_context(WAYS[way](gallery))

        for name, content in files().items():
            answer = await send(gallery, name, content)
            assert answer.photo_id is not None, (name, answer)

        photos = await ingest.photos()
        assert len(photos) == len(files())
        assert [p.id for p in photos if not is_right(p.width, p.height)] == []
        assert {photo.taken_at for photo in photos} == {TAKEN_AT}


@cache
def endless() -> dict[str, bytes]:
    """Files that look like a photo for a megabyte and longer, and are none."""
    noise = random.Random(3).randbytes(3 * FIRST_BYTES)
    png, jpeg = image_file("PNG"), image_file("JPEG")
    ftyp = image_file("HEIF")[:20]
    return {
        "segments without a frame.jpg": with_segments(jpeg[:2], 0xE1, noise),
        "fill bytes.jpg": jpeg[:2] + b"\xff" * len(noise),
        "nothing but noise.jpg": jpeg[:4] + b"\xff\xff" + bytes(len(noise)),
        "chunks, but no header.png": png[:8] + png_chunk(b"tEXt", noise),
        "a directory beyond the end.tif": b"II*\0" + struct.pack("<I", 2**31) + noise,
        "a directory in noise.tif": b"II*\0" + struct.pack("<I", 2 * FIRST_BYTES) + noise,
        "a directory of itself.tif": tiff("<", noise)[:-200],
        "an item that is not there.heic": ftyp + box(b"mdat", noise) + box(b"meta", noise[:999]),
        "a box beyond the end.heic": ftyp + struct.pack(">I4sQ", 1, b"mdat", 2**62) + noise,
        "a box without length.heic": ftyp + struct.pack(">I4s", 0, b"mdat") + noise,
        "boxes of 8 bytes.heic": ftyp + box(b"free") * (FIRST_BYTES // 4),
    }


@pytest.mark.parametrize("kind", ["folder", "s3"])
async def test_what_turns_out_to_be_none_is_refused_and_leaves_nothing(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, settings: IngestSettings
) -> None:
    async with AsyncExitStack() as stack:
        open_store = await stack.enter_async_context(opened(kind, request, tmp_path))
        ingest = await stack.enter_async_context(running_ingest(settings, open_store.store))
        gallery = await new_gallery(ingest)

        for way in WAYS:
            async with WAYS[way](gallery) as send:
                for name, content in endless().items():
                    answer = await send(gallery, name, content)
                    assert 400 <= answer.status < 500, (way, name, answer)
                    assert "cut off" in answer.reason, (way, name, answer)

        assert await ingest.photos() == []
        assert not await ingest.objects()
        assert await open_store.probe.unfinished() == 0


@pytest.mark.parametrize("name", endless())
async def test_what_is_none_is_not_read_over_and_over(name: str, tmp_path: Path) -> None:
    content = endless()[name]
    read = 0

    class CountingStore(FolderStore):
        def read(self, key: str, *, start: int = 0, end: int | None = None):  # type: ignore[no-untyped-def]
            nonlocal read
            read += min(end or len(content), len(content)) - min(start, len(content))
            return super().read(key, start=start, end=end)

    store = await CountingStore.open(tmp_path)
    await store.put("a", content, content_type="image/any")

    with pytest.raises(UnusableImage, match="damaged or cut off"):
        await read_stored_header(begun(content), "a", len(content), store)

    assert read <= 2 * len(content)


def test_a_turned_tiff_has_the_upright_size() -> None:
    header = read_header(tiff(">", b""), max_pixels=MAX_PIXELS)

    assert (header.format, header.width, header.height) == (ImageFormat.TIFF, *SIZE)

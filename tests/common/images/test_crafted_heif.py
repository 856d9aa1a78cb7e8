"""Boxes that say much with few bytes: what is read of them stays in proportion to the file."""

import contextlib
import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.images.av1 import largest_frame
from libs.common.images.boxes import MAX_PLACES, extents
from services.ingest.images.header import UnusableImage, read_header
from services.media.stripping.heif import strip
from services.media.stripping.pieces import CannotStrip
from tests.support.crafted_heif import box, crafted_heif, full_box, iloc, peak_bytes

MANY = 65_535
#: What reading a small file may take, beside some of its size.
FEW_BYTES = 2 << 20
NO_WIDTH = (0, 0, 0, 0)
#: As version, widths, count and items are written, and whatever follows.
CRAFTED = st.tuples(
    st.integers(0, 2),
    st.sampled_from([0x00, 0x40, 0x04, 0x44, 0x10, 0xFF]),
    st.sampled_from([0x00, 0x40, 0x04, 0x44, 0x01]),
    st.integers(0, MANY),
    st.lists(st.sampled_from([b"\xff\xff", b"\0\0", b"\0\1", b"\0\2"]), max_size=60).map(b"".join),
).map(lambda one: bytes([one[0], 0, 0, 0, one[1], one[2]]) + struct.pack(">H", one[3]) + one[4])


def read(content: bytes) -> None:
    with contextlib.suppress(UnusableImage):
        read_header(content, max_pixels=1_000_000)


def overlap(content: bytes) -> None:
    with pytest.raises(CannotStrip, match="its parts overlap"):
        strip(content)


def of_av1(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"over one another|times in one place|more than"):
        largest_frame(content)


def no_bytes_each(coding: bytes) -> bytes:
    return crafted_heif(iloc(NO_WIDTH, [(1, MANY, b"")] * 1000), coding=coding)


def one_over_the_other(coding: bytes) -> bytes:
    """Extents of the whole file, of one byte each."""
    places = iloc((0, 1, 0, 0), [(1, 9000, bytes(9000))])
    return crafted_heif(places, coding=coding)


def items_over_one_another() -> bytes:
    places = iloc(NO_WIDTH, [(item, 1, b"") for item in range(1, 3001)])
    return crafted_heif(places, coding=b"av01", items=3000)


def many_tracks() -> bytes:
    """Each of which has its first sample all over the file."""
    sizes = full_box(b"stsz", struct.pack(">II", 0x7FFF_FFFF, 1))
    chunks = full_box(b"stco", struct.pack(">II", 1, 0))
    track = box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", sizes, chunks))))
    places = iloc((4, 4, 0, 0), [(1, 1, struct.pack(">II", 0, 1))])
    return crafted_heif(places, coding=b"av01", after=box(b"moov", track * 2000))


@pytest.mark.parametrize("coding", [b"hvc1", b"av01"])
@pytest.mark.parametrize("crafted", [no_bytes_each, one_over_the_other])
def test_ingest_holds_no_more_for_places_than_they_are(
    coding: bytes, crafted: Callable[[bytes], bytes]
) -> None:
    content = crafted(coding)
    assert peak_bytes(lambda: read(content)) < FEW_BYTES + 4 * len(content)


@pytest.mark.parametrize(
    "content",
    [
        no_bytes_each(b"av01"),
        one_over_the_other(b"av01"),
        items_over_one_another(),
        many_tracks(),
    ],
    ids=["no bytes each", "one over the other", "items", "tracks"],
)
def test_what_lies_over_one_another_is_not_copied_before_it_is_refused(content: bytes) -> None:
    assert peak_bytes(lambda: of_av1(content)) < FEW_BYTES + 6 * len(content)


def test_exif_that_lies_over_itself_is_not_made_anew_each_time() -> None:
    everything = struct.pack(">II", 0, 100_000)
    places = iloc((4, 4, 0, 0), [(item, 1, everything) for item in range(1, 1001)])
    content = crafted_heif(places, coding=b"Exif", items=1000, after=box(b"mdat", bytes(200_000)))
    assert peak_bytes(lambda: overlap(content)) < FEW_BYTES + 6 * len(content)


@settings(max_examples=300)
@given(CRAFTED)
def test_no_places_are_more_than_they_take_or_than_a_file_has(content: bytes) -> None:
    items = places = 0
    try:
        for _, _, of_item in extents(content):
            items += 1
            places += len(of_item)
    except ValueError:
        pass
    assert items + places <= MAX_PLACES
    # An item without a place takes six bytes, and one place of it may take none.
    assert places <= len(content)


@settings(max_examples=100, deadline=None)
@given(CRAFTED, st.sampled_from([b"hvc1", b"av01"]))
def test_no_crafted_places_take_much_memory(content: bytes, coding: bytes) -> None:
    file = crafted_heif(box(b"iloc", content), coding=coding)
    assert peak_bytes(lambda: read(file)) < FEW_BYTES

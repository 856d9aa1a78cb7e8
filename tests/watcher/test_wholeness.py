"""When a file is whole."""

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from findme_watch.wholeness import End, Patience, find_end, seconds_to_wait
from tests.support.image_files import image_file
from tests.support.raw_files import cr3, nef

PATIENCE = Patience(still_seconds=2, end_seconds=60)
FORMATS = {"JPEG": "jpg", "PNG": "png", "GIF": "gif", "WEBP": "webp", "HEIF": "heic"}
LARGE = (640, 480)


def whole_file(file_format: str) -> bytes:
    return image_file(file_format, size=LARGE, mode="RGB")


def end_of(content: bytes, name: str = "a.jpg") -> End:
    return find_end(io.BytesIO(content), len(content), name)


@pytest.mark.parametrize("file_format", FORMATS)
@example(share=0.6195902411106241)  # behind a byte that looks like the end of a GIF
@given(share=st.floats(0, 0.999))
def test_a_file_that_is_still_written_has_no_end_wherever_it_stops(
    file_format: str, share: float
) -> None:
    whole = whole_file(file_format)
    name = f"a.{FORMATS[file_format]}"
    assert end_of(whole, name) is End.THERE
    assert end_of(whole[: int(share * len(whole))], name) is End.MISSING


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_file_that_has_its_size_before_its_content_has_no_end(file_format: str) -> None:
    whole = whole_file(file_format)
    half = whole[: len(whole) // 2]
    name = f"a.{FORMATS[file_format]}"
    assert end_of(bytes(len(whole)), name) is End.MISSING
    if file_format not in ("WEBP", "HEIF"):  # their lengths are at their beginning
        assert end_of(half + bytes(len(whole) - len(half)), name) is End.MISSING


def test_a_jpeg_may_have_zeros_or_a_video_behind_its_end() -> None:
    whole = whole_file("JPEG")
    assert end_of(whole + bytes(4096)) is End.THERE
    assert end_of(whole + b"\0\0\0\x18ftypmp42" + b"video" * 50_000) is End.THERE


def test_the_end_of_the_small_picture_in_a_jpeg_is_not_the_jpeg_s() -> None:
    small = image_file(size=(16, 16))
    whole = whole_file("JPEG")
    exif = b"Exif\0\0" + small
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    with_small = whole[:2] + segment + whole[2:]
    assert end_of(with_small) is End.THERE
    assert end_of(with_small[: len(segment) + 400]) is End.MISSING
    assert end_of(with_small[: 2 + len(segment)]) is End.MISSING


def test_a_tiff_may_end_with_anything() -> None:
    assert end_of(image_file("TIFF"), "a.tif") is End.UNKNOWN


def test_a_raw_file_waits_for_its_jpeg_however_old_it_is() -> None:
    assert end_of(nef(), "a.NEF") is End.OF_RAW
    assert end_of(cr3(), "a.CR3") is End.OF_RAW
    assert end_of(cr3()[:-1], "a.CR3") is End.MISSING
    assert seconds_to_wait(10.0, 1e6, End.OF_RAW, Patience(end_seconds=60.0)) == 50.0


def test_an_empty_file_is_not_whole() -> None:
    assert end_of(b"") is End.MISSING


@example(seen=0.0, age=1.0, end=None)
@given(seen=st.floats(0, 1e4), age=st.floats(-1e6, 1e6), end=st.sampled_from([None, *End]))
def test_every_file_is_taken_in_the_end_and_none_before_it_was_still(
    seen: float, age: float, end: End | None
) -> None:
    wait = seconds_to_wait(seen, age, end, PATIENCE)
    assert 0 <= wait <= PATIENCE.end_seconds
    if end is None and max(seen, age) < PATIENCE.still_seconds:
        assert wait > 0
    passed = wait + 0.001
    later = seconds_to_wait(seen + passed, age + passed, end, PATIENCE)
    assert later == pytest.approx(0, abs=0.01)


def test_a_file_without_its_end_is_waited_for_however_old_it_says_it_is() -> None:
    assert seconds_to_wait(10, 86400, End.MISSING, PATIENCE) == 50
    assert seconds_to_wait(60, 86400, End.MISSING, PATIENCE) == 0


def test_an_old_file_is_read_at_once_and_one_from_the_future_when_it_was_seen_still() -> None:
    assert seconds_to_wait(0, 86400, None, PATIENCE) == 0
    assert seconds_to_wait(0, -86400, None, PATIENCE) == 2
    assert seconds_to_wait(2, -86400, None, PATIENCE) == 0

"""Pictures that browsers show and strict decoders refuse, through both of our decoders."""

import io
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import pyvips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from libs.common.images.png_mending import mend
from services.media.renditions.decoding import CannotDecode
from services.media.renditions.rendition_worker import render
from services.recognition.engine.face_engine import UndecodablePhoto
from tests.common.images.both_decoders import (
    MAX_PIXELS,
    SIDE,
    assert_whole,
    decoded,
    pixels_of,
    rendered,
    rendition_of,
    two_pictures,
)
from tests.support.damaged_files import (
    EOI,
    encoded,
    restart_markers,
    segment_starts,
    with_odd_scan_header,
    with_stray_bytes,
)
from tests.support.faces import astronaut
from tests.support.late_headers import png_chunk, with_chunk

quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@cache
def clean(**options: Any) -> bytes:
    """A portrait as JPEG, with restart markers where they are asked for."""
    return encoded(astronaut().resize((SIDE, SIDE)), quality=90, **options)


no_marker = st.binary(min_size=1, max_size=40).map(lambda stray: stray.replace(b"\xff", b"\x00"))


@quick
@given(st.data(), no_marker)
def test_stray_bytes_between_segments_are_no_loss(
    tmp_path: Path, data: st.DataObject, stray: bytes
) -> None:
    jpeg = clean()
    # Not before the first: three bytes tell that it is a JPEG.
    places = data.draw(st.sets(st.sampled_from(segment_starts(jpeg)[1:]), min_size=1))

    assert_whole(with_stray_bytes(jpeg, places, stray), jpeg, tmp_path)


@quick
@given(st.data(), no_marker)
def test_stray_bytes_before_restart_markers_are_no_loss(
    tmp_path: Path, data: st.DataObject, stray: bytes
) -> None:
    jpeg = clean(restart_marker_rows=2)
    places = data.draw(st.sets(st.sampled_from(restart_markers(jpeg)), min_size=1, max_size=12))

    assert_whole(with_stray_bytes(jpeg, places, stray), jpeg, tmp_path)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 5}])
@pytest.mark.parametrize("behind", [b"", b"\0" * 9])
def test_a_missing_end_marker_is_no_loss(
    tmp_path: Path, options: dict[str, object], behind: bytes
) -> None:
    jpeg = clean(**options)

    assert_whole(jpeg.removesuffix(EOI) + behind, jpeg, tmp_path)


@pytest.mark.parametrize("ending", [EOI, b""])
def test_an_odd_scan_header_is_no_loss(tmp_path: Path, ending: bytes) -> None:
    jpeg = clean()

    assert_whole(with_odd_scan_header(jpeg).removesuffix(EOI) + ending, jpeg, tmp_path)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_warning_is_no_loss_of_a_picture_that_is_turned(tmp_path: Path, orientation: int) -> None:
    jpeg = clean(exif=oriented(orientation), restart_marker_rows=2)
    marker = restart_markers(jpeg)[3]

    for odd in (
        jpeg.removesuffix(EOI),
        with_odd_scan_header(jpeg),
        with_stray_bytes(jpeg, [segment_starts(jpeg)[2]], b"stray"),
        with_stray_bytes(jpeg, [marker], b"stray"),
    ):
        assert_whole(odd, jpeg, tmp_path)


def test_grey_lines_of_the_pictures_own_are_not_missing(tmp_path: Path) -> None:
    picture = Image.new("RGB", (SIDE, SIDE), (128, 128, 128))
    picture.paste(astronaut().resize((SIDE, SIDE // 2)))
    jpeg = encoded(picture, quality=90)

    assert_whole(jpeg.removesuffix(EOI), jpeg, tmp_path)
    assert_whole(with_odd_scan_header(jpeg), jpeg, tmp_path)


def test_bytes_behind_the_picture_are_no_loss(tmp_path: Path) -> None:
    jpeg = clean()

    assert_whole(jpeg + b"\0\1\2" * 1000, jpeg, tmp_path)


@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 3}])
@pytest.mark.parametrize("kept", [0.15, 0.6, 0.97])
def test_a_jpeg_that_is_cut_off_shows_what_there_is(
    tmp_path: Path, options: dict[str, object], kept: float
) -> None:
    jpeg = clean(**options)
    cut = jpeg[: int(len(jpeg) * kept)]

    found, whole = decoded(cut, tmp_path), decoded(jpeg, tmp_path)

    assert found.damage is not None
    there = first_blank_line(found.pixels, 128)
    assert found.damage.missing == pytest.approx(1 - there / SIDE, abs=0.005)
    assert 0.1 < there / SIDE <= 1
    assert (found.pixels[: there - 32] == whole.pixels[: there - 32]).all()
    assert len(rendered(cut, tmp_path)) > 1000


def first_blank_line(pixels: npt.NDArray[np.uint8], value: int) -> int:
    blank = (pixels == value).all(axis=(1, 2))
    return int(np.argmax(blank)) if blank.any() else len(pixels)


def test_a_progressive_jpeg_that_is_cut_off_is_told(tmp_path: Path) -> None:
    jpeg = clean(progressive=True)

    assert decoded(jpeg[: len(jpeg) * 6 // 10], tmp_path).damage is not None


def oriented(orientation: int) -> bytes:
    """EXIF that says so."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_zeros_in_the_middle_are_told(tmp_path: Path, orientation: int) -> None:
    jpeg = bytearray(encoded(astronaut(), exif=oriented(orientation)))
    jpeg[9000:9300] = bytes(300)

    damage = decoded(bytes(jpeg), tmp_path).damage

    assert damage is not None
    assert "Copy it from the camera again." in str(damage)


@pytest.mark.parametrize("orientation", [1, 6])
def test_how_much_is_missing_is_told_of_a_picture_that_lies_on_its_side(
    tmp_path: Path, orientation: int
) -> None:
    jpeg = encoded(astronaut().resize((SIDE, SIDE)), quality=90, exif=oriented(orientation))

    found = decoded(jpeg[: len(jpeg) // 2], tmp_path)

    assert found.damage is not None
    assert 0.2 < found.damage.missing < 0.8
    assert f"{round(100 * found.damage.missing)} % of it is missing" in str(found.damage)


def test_where_nothing_can_be_seen_it_fails(tmp_path: Path) -> None:
    jpeg = clean()
    scan = segment_starts(jpeg)[-1]

    for content in (jpeg[: scan + 14], encoded(astronaut(), "PNG")[:60]):
        with pytest.raises(UndecodablePhoto, match="damaged"):
            decoded(content, tmp_path)
        with pytest.raises(CannotDecode):
            rendered(content, tmp_path)


@cache
def png(interlaced: bool) -> bytes:
    """The same as PNG, in more than one chunk of data."""
    content = encoded(astronaut().resize((SIDE, SIDE)), "PNG")
    if not interlaced:
        return content
    saved: bytes = pyvips.Image.pngload_buffer(content).pngsave_buffer(interlace=True)
    return saved


@pytest.mark.parametrize("interlaced", [False, True])
@quick
@given(st.floats(0.05, 0.999))
def test_a_png_that_is_cut_off_shows_what_there_is(
    tmp_path: Path, interlaced: bool, kept: float
) -> None:
    content = png(interlaced)

    found = decoded(content[: int(len(content) * kept)], tmp_path)

    missing = found.damage.missing if found.damage else 0.0
    assert missing < 1
    if not interlaced:
        there = round((1 - missing) * SIDE)
        expected = pixels_of(content)
        assert (found.pixels[:there] == expected[:there]).all()
        # Not what was in memory before.
        assert (found.pixels[there:] == 0).all()


@quick
@given(st.floats(0.1, 0.9), st.binary(min_size=1, max_size=50))
def test_a_png_with_other_bytes_in_it_shows_a_picture(
    tmp_path: Path, where: float, wrong: bytes
) -> None:
    content = png(interlaced=False)
    at = int(len(content) * where)
    damaged = content[:at] + wrong + content[at + len(wrong) :]

    found = decoded(damaged, tmp_path)

    assert (found.pixels[: SIDE // 20] == pixels_of(content)[: SIDE // 20]).all()


def test_a_png_with_a_wrong_byte_has_all_its_lines() -> None:
    raw = bytearray((b"\0" + bytes(range(200)) * 6) * 300)
    packed = bytearray(zlib.compress(bytes(raw), 0))  # stored: every byte can be decoded
    packed[500] ^= 1
    small = encoded(Image.new("RGB", (400, 300)), "PNG")
    content = small[:33] + png_chunk(b"IDAT", bytes(packed)) + png_chunk(b"IEND", b"")

    mended = mend(io.BytesIO(content), MAX_PIXELS)

    assert mended.missing == 0
    assert mended.is_wrong
    raw[500 - 7] ^= 1  # behind zlib's head and the block's
    expected = np.frombuffer(raw, np.uint8).reshape(300, 1201)[:, 1:].reshape(300, 400, 3)
    with Image.open(io.BytesIO(mended.content)) as image:
        assert (np.asarray(image) == expected).all()


def test_a_png_has_every_line_in_front_of_a_fault() -> None:
    raw = (b"\0" + bytes(1200)) * 300
    packing = zlib.compressobj()
    packed = packing.compress(raw[: 250 * 1201]) + packing.flush(zlib.Z_FULL_FLUSH) + b"\xff" * 9
    small = encoded(Image.new("RGB", (400, 300)), "PNG")
    content = small[:33] + png_chunk(b"IDAT", packed) + png_chunk(b"IEND", b"")

    assert mend(io.BytesIO(content), MAX_PIXELS).missing == pytest.approx(50 / 300)


def test_a_header_is_believed_only_where_it_is_whole_and_allowed(tmp_path: Path) -> None:
    content = png(interlaced=False)
    huge = content[8 + 8 : 8 + 8 + 13].replace(SIDE.to_bytes(4), (1_000_000).to_bytes(4))
    thin = struct.pack(">IIBBBBB", 1, 9_000_000, 8, 2, 0, 0, 0)
    deep = struct.pack(">IIBBBBB", SIDE, SIDE, 255, 2, 0, 0, 0)

    for header, match in (
        (png_chunk(b"IHDR", huge), "too many pixels"),
        (png_chunk(b"IHDR", thin), "no such picture"),
        (png_chunk(b"IHDR", deep), "no such picture"),
        (png_chunk(b"IHDR", content[16:29], checksum=1), "damaged header"),
    ):
        with pytest.raises(ValueError, match=match):
            mend(io.BytesIO(content[:8] + header + content[33:]), MAX_PIXELS)


def test_pixels_are_limited_where_the_strict_decoder_reads_no_header(tmp_path: Path) -> None:
    content = png(interlaced=False)
    content = content[:33] + png_chunk(b"ABCD", b"a") + content[33:]
    path = tmp_path / "photo"
    path.write_bytes(content)
    with pytest.raises(pyvips.Error):
        pyvips.Image.pngload(str(path))

    assert render(str(path), 400, SIDE * SIDE)
    with pytest.raises(CannotDecode):
        render(str(path), 400, SIDE * SIDE - 1)


@pytest.mark.parametrize("cut", [4, 8, 12, 16, 20])
def test_a_png_without_its_end_is_whole(tmp_path: Path, cut: int) -> None:
    content = png(interlaced=False)

    assert decoded(content[:-cut], tmp_path).damage is None


TEXT = b"Comment\0" + b"a" * 9_000_000
NEEDLESS = {
    "a large text": png_chunk(b"tEXt", TEXT),
    "a large packed text": png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000))),
    "a large international text": png_chunk(b"iTXt", b"a\0\0\0\0\0" + b"b" * 5_000_000),
    "many texts": b"".join(png_chunk(b"tEXt", b"%d\0a" % number) for number in range(3000)),
    "a text that is none": png_chunk(b"iTXt", b"nothing"),
    "a profile that is none": png_chunk(b"iCCP", b"a\0\0" + zlib.compress(b"no profile" * 30)),
    "a profile that is not packed": png_chunk(b"iCCP", b"a\0\0nothing"),
    "gamma with a wrong checksum": png_chunk(b"gAMA", b"\0\1\2\3", checksum=1),
    "a text with a wrong checksum": png_chunk(b"tEXt", b"a\0b", checksum=1),
    "a chunk that nobody knows": png_chunk(b"abCd", b"\0" * 99, checksum=1),
    "EXIF that is none": png_chunk(b"eXIf", b"nothing"),
}


@pytest.mark.parametrize("name", NEEDLESS)
def test_chunks_that_nobody_needs_refuse_nothing(tmp_path: Path, name: str) -> None:
    content = with_chunk(png(interlaced=False), b"tEXt", b"a\0b")
    content = content[:33] + NEEDLESS[name] + content[33:]

    found = decoded(content, tmp_path)

    assert found.damage is None
    assert (found.pixels == pixels_of(png(interlaced=False))).all()
    assert rendered(content, tmp_path) == rendition_of(png(interlaced=False))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 400), st.booleans())
def test_mending_gives_a_whole_png_or_a_value_error(
    wrong: bytes, at: int, interlaced: bool
) -> None:
    small = encoded(Image.effect_noise((20, 15), 50), "PNG")
    if interlaced:
        small = pyvips.Image.pngload_buffer(small).pngsave_buffer(interlace=True)
    damaged = small[:at] + wrong + small[at + len(wrong) :]
    try:
        mended = mend(io.BytesIO(damaged[:400]), MAX_PIXELS)
    except ValueError:
        return
    assert 0 <= mended.missing <= 1
    whole = pyvips.Image.pngload_buffer(mended.content, fail_on="warning").copy_memory()
    assert (whole.width, whole.height) == struct.unpack_from(">II", damaged, 16)


@pytest.mark.parametrize(("kind", "options"), [("TIFF", {}), ("GIF", {"interlace": False})])
def test_other_formats_show_what_there_is(
    tmp_path: Path, kind: str, options: dict[str, bool]
) -> None:
    content = encoded(astronaut().resize((SIDE, SIDE)), kind, **options)

    found = decoded(content[: len(content) * 6 // 10], tmp_path)

    assert found.damage is not None
    whole = decoded(content, tmp_path).pixels
    assert (found.pixels[: SIDE // 3] == whole[: SIDE // 3]).all()
    assert len(rendered(content[: len(content) * 6 // 10], tmp_path)) > 1000


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF"])
@quick
@given(st.data())
def test_nothing_of_another_picture_is_in_what_is_missing(
    tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    whole, other = two_pictures(kind)
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(len(content) // 10, len(content) - 1))
        content[at : at + 20] = data.draw(st.binary(min_size=20, max_size=20))
    del content[data.draw(st.integers(len(content) // 2, len(content))) :]
    damaged = bytes(content)

    def seen() -> bytes:
        try:
            return decoded(damaged, tmp_path).pixels.tobytes()
        except UndecodablePhoto:
            return b""

    before = seen()
    decoded(other, tmp_path)
    assert seen() == before

"""When a photo was taken, in every way that files say it."""

import io
import struct
import zlib
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from services.ingest.images.header import read_header
from services.ingest.images.taken import MAX_XMP_BYTES, Taken, moment_in, taken_of
from tests.support.beside import CASES
from tests.support.image_files import image_file

MOMENT = datetime(2026, 6, 13, 15, 4, 5)  # noqa: DTZ001 - a camera's clock knows no zone
LATER = "2026:06:14 10:00:00"
ZERO = "0000:00:00 00:00:00"
MAX_PIXELS = 100_000_000


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("2026:06:13 15:04:05", None),
        ("2026-06-13T15:04:05", None),
        ("2026-06-13 15:04:05", None),
        ("2026/06/13 15:04:05", None),
        ("2026:06:13 15:04:05.123", None),
        ("2026:06:13 15:04:05+02:00", 120),
        ("2026:06:13 15:04:05 +0200", 120),
        ("2026-06-13T15:04:05.999999-03:30", -210),
        ("2026-06-13T15:04:05Z", 0),
        ("2026-06-13T15:04:05+05:45", 345),
        ("2026:06:13 3:04:05 pm", None),
        ("2026/06/13 03:04:05 P.M.", None),
        ("2026:06:13 15:04:05\0", None),
        ("2026:06:13 15:04:05\0\0left over", None),
        ("2026: 6:13 15: 4: 5", None),
        ("2026.06.13 15.04.05", None),
        ("20260613T150405+0200", 120),
        (b"2026:06:13 15:04:05", None),
        # What is no zone of the world is left out.
        ("2026:06:13 15:04:05+23:00", None),
        ("2026:06:13 15:04:05+02:17", None),
    ],
)
def test_every_spelling_that_cameras_and_programs_write_is_read(
    text: str | bytes, offset: int | None
) -> None:
    assert moment_in(text) == Taken(MOMENT, offset)


def test_a_time_without_seconds_is_one() -> None:
    assert moment_in("2026-06-13T15:04+02:00") == Taken(MOMENT.replace(second=0), 120)


@pytest.mark.parametrize(
    ("text", "hour"),
    [("2026:06:13 24:04:05", 0), ("2026:06:13 12:04:05 AM", 0), ("2026:06:13 12:04:05 PM", 12)],
)
def test_the_first_hour_of_a_day_is_told_in_three_ways(text: str, hour: int) -> None:
    assert moment_in(text) == Taken(MOMENT.replace(hour=hour))


@pytest.mark.parametrize(
    "text",
    [
        ZERO,
        "    :  :     :  :  ",
        "",
        " " * 19,
        "yesterday",
        "2026:06:13",
        "2026:13:13 15:04:05",
        "2026:06:31 15:04:05",
        "2026:06:13 25:04:05",
        "2026:06:13 15:04:99",
        "1970:01:01 00:00:00",
        "1980:01:01 00:00:00",
        "2106:02:07 06:28:15",
        "9999:12:31 23:59:59",
        "2026:06:13 15:04:05 and so on",
        "2026:06:13 15:04:05" + " " * 100 + "x",
        None,
        20260613,
        (2026, 6, 13),
    ],
)
def test_placeholders_and_what_no_clock_shows_are_no_moment(text: object) -> None:
    assert moment_in(text) is None


FIELDS = ["original", "digitized", "xmp", "iptc", "modified", "written"]


def exif_of(fields: set[str]) -> Image.Exif:
    exif = Image.Exif()
    within = exif.get_ifd(IFD.Exif)
    if "original" in fields:
        within[Base.DateTimeOriginal] = "2026:06:01 12:00:00"
    if "digitized" in fields:
        within[Base.DateTimeDigitized] = "2026:06:02 12:00:00"
    if "modified" in fields:
        exif[Base.DateTime] = "2026:06:05 12:00:00"
    return exif


@given(st.sets(st.sampled_from(FIELDS), min_size=1))
def test_the_surest_field_that_there_is_tells(fields: set[str]) -> None:
    taken = taken_of(
        exif_of(fields),
        xmp=b'<x xmp:CreateDate="2026-06-03T12:00:00"/>' if "xmp" in fields else b"",
        iptc=iptc("20260604", "120000") if "iptc" in fields else b"",
        modified=struct.pack(">H5B", 2026, 6, 6, 12, 0, 0) if "written" in fields else b"",
    )

    assert taken is not None
    assert taken.moment.day == 1 + min(FIELDS.index(name) for name in fields)


def test_a_placeholder_leaves_the_word_to_the_next_field() -> None:
    exif = Image.Exif()
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = ZERO
    exif.get_ifd(IFD.Exif)[Base.DateTimeDigitized] = "2026:06:13 15:04:05"

    assert taken_of(exif) == Taken(MOMENT)


@pytest.mark.parametrize(
    "packet",
    [
        "<exif:DateTimeOriginal>2026-06-13T15:04:05+02:00</exif:DateTimeOriginal>",
        "<r exif:DateTimeOriginal='2026-06-13T15:04:05+02:00' xmp:CreateDate='2026-06-14T00:00:00'",
        '<r xmp:CreateDate="2026-06-14T00:00:00" photoshop:DateCreated = "2026-06-13T15:04:05+02"',
        '<r xap:CreateDate="2026-06-13T15:04:05+02:00"/>',
    ],
)
def test_xmp_tells_in_attributes_and_elements_the_surest_first(packet: str) -> None:
    assert taken_of(Image.Exif(), xmp=packet.encode()) == Taken(MOMENT, 120)


def test_a_day_of_xmp_alone_is_no_moment() -> None:
    assert taken_of(Image.Exif(), xmp=b'<r photoshop:DateCreated="2026-06-13"/>') is None


def iptc(day: str, clock: str) -> bytes:
    records = [(1, 90, "\x1b%G"), (2, 120, "A caption"), (2, 55, day), (2, 60, clock)]
    return b"".join(
        struct.pack(">BBBH", 0x1C, record, number, len(content)) + content.encode()
        for record, number, content in records
    )


def resources(records: bytes) -> bytes:
    other = b"8BIM" + struct.pack(">H", 0x0425) + b"\x03odd" + struct.pack(">I", 3) + b"abc\0"
    size = struct.pack(">I", len(records))
    return other + b"8BIM" + struct.pack(">H", 0x0404) + b"\0\0" + size + records


def test_iptc_is_read_bare_and_among_photoshops_resources() -> None:
    records = iptc("20260613", "150405+0200")

    assert taken_of(Image.Exif(), iptc=records) == Taken(MOMENT, 120)
    assert taken_of(Image.Exif(), iptc=resources(records)) == Taken(MOMENT, 120)


def test_the_zone_is_of_the_field_that_tells_the_time() -> None:
    exif = Image.Exif()
    within = exif.get_ifd(IFD.Exif)
    within[Base.DateTimeOriginal] = "2026:06:13 15:04:05"
    exif[Base.DateTime] = LATER
    within[Base.OffsetTime] = "-05:00"  # where it was edited
    assert taken_of(exif) == Taken(MOMENT)

    within[Base.OffsetTimeOriginal] = "+02:00"
    assert taken_of(exif) == Taken(MOMENT, 120)


def test_another_field_of_the_same_moment_tells_its_zone() -> None:
    exif = Image.Exif()
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = "2026:06:13 15:04:05"

    xmp = b'<r photoshop:DateCreated="2026-06-13T15:04:05.27+02:00"/>'
    assert taken_of(exif, xmp=xmp) == Taken(MOMENT, 120)


@pytest.mark.parametrize(
    ("clock", "offset"),
    [
        ((13.0, 4.0, 4.0), 120),
        ((9.0, 19.0, 5.0), 345),
        ((13.0, 24.0, 5.0), None),  # the place was found 20 minutes before
        ((3.0, 4.0, 5.0), 720),
    ],
)
def test_the_satellites_time_tells_the_zone_where_it_is_sure(
    clock: tuple[float, ...], offset: int | None
) -> None:
    exif = Image.Exif()
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = "2026:06:13 15:04:05"
    place = exif.get_ifd(IFD.GPSInfo)
    place[GPS.GPSDateStamp], place[GPS.GPSTimeStamp] = "2026:06:13", clock

    assert taken_of(exif) == Taken(MOMENT, offset)


def exif_with(text: str) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = text
    exif.get_ifd(IFD.Exif)[Base.OffsetTimeOriginal] = "+02:00"
    return exif.tobytes()


XMP = b"<x:xmpmeta><r exif:DateTimeOriginal='2026-06-13T15:04:05+02:00'/></x:xmpmeta>"


@pytest.mark.parametrize("written", ["JPEG", "MPO", "PNG", "WEBP", "HEIF", "AVIF", "TIFF"])
@pytest.mark.parametrize("kind", ["exif", "xmp"])
def test_every_format_tells_by_exif_and_by_xmp(written: str, kind: str) -> None:
    picture = Image.new("RGB", (64, 48))
    file = io.BytesIO()
    if kind == "exif":
        picture.save(file, written, exif=exif_with("2026:06:13 15:04:05"))
    elif written == "PNG":
        file.write(png_with(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP))
    elif written == "TIFF":
        picture.save(file, written, tiffinfo={700: XMP})
    else:
        picture.save(file, written, xmp=XMP)

    header = read_header(file.getvalue(), max_pixels=MAX_PIXELS)

    assert header.taken == Taken(MOMENT, 120)


def png_with(kind: bytes, content: bytes) -> bytes:
    """Return a PNG with one more chunk before its picture."""
    png = image_file("PNG")
    at = png.index(b"IDAT") - 4
    chunk = struct.pack(">I", len(content)) + kind + content
    chunk += struct.pack(">I", zlib.crc32(kind + content))
    return png[:at] + chunk + png[at:]


def test_a_png_tells_when_it_was_written_where_nothing_else_does() -> None:
    png = png_with(b"tIME", struct.pack(">H5B", 2026, 6, 13, 15, 4, 5))

    assert read_header(png, max_pixels=MAX_PIXELS).taken == Taken(MOMENT, 0)


def test_a_jpeg_tells_by_iptc() -> None:
    block = b"Photoshop 3.0\0" + resources(iptc("20260613", "150405"))
    jpeg = image_file("JPEG")
    with_iptc = jpeg[:2] + b"\xff\xed" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]

    assert read_header(with_iptc, max_pixels=MAX_PIXELS).taken == Taken(MOMENT)


SAMPLES = [
    exif_with("2026:06:13 15:04:05"),
    XMP,
    iptc("20260613", "150405"),
    resources(iptc("20260613", "150405")),
]


@given(
    st.lists(st.sampled_from(SAMPLES) | st.binary(max_size=200), max_size=4).map(b"".join),
    st.binary(max_size=8),
    st.data(),
)
def test_hostile_blocks_give_a_moment_or_none(
    block: bytes, modified: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(block)
    for _ in range(data.draw(st.integers(0, 6)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    exif = Image.Exif()
    try:
        exif.load(bytes(damaged))
    except Exception:  # noqa: BLE001 - as whoever reads files does
        exif = Image.Exif()

    taken = taken_of(exif, xmp=bytes(damaged), iptc=bytes(damaged), modified=modified)

    assert taken is None or 1990 <= taken.moment.year <= 2099


@given(st.text(max_size=80) | st.binary(max_size=80))
def test_no_text_raises(text: str | bytes) -> None:
    found = moment_in(text, text)

    assert found is None or 1990 <= found.moment.year <= 2099


@pytest.mark.parametrize(
    "piece", [b"exif:DateTimeOriginal", b"exif:DateTimeOriginal = ", b"xmp:CreateDate>2026", b" "]
)
def test_crafted_xmp_is_read_in_one_pass(piece: bytes) -> None:
    packet = piece * (2 * MAX_XMP_BYTES // len(piece))

    assert taken_of(Image.Exif(), xmp=packet) is None


@pytest.mark.parametrize(
    ("name", "offset"),
    [("digonly", None), ("xmp", None), ("tz", 120), ("off", 120)],
)
def test_files_that_others_reported_tell_the_moment(name: str, offset: int | None) -> None:
    file = CASES / f"date_{name}.jpg"
    if not file.exists():
        pytest.skip("no files that others reported here")

    assert read_header(file.read_bytes(), max_pixels=MAX_PIXELS).taken == Taken(MOMENT, offset)

"""When a photo was taken, by what cameras and programs write into files: EXIF, XMP and IPTC.

What is found is the camera's own clock, and how far that is from UTC where the file says so.
Everything here comes from strangers: whatever cannot be read is as good as absent.

EXIF 3.0 (CIPA DC-008), 4.6.5; XMP part 2 (ISO 16684-2); IPTC IIM 4.2, 2:55 and 2:60.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from PIL.ExifTags import GPS, IFD, Base
from PIL.Image import Exif

#: Digital cameras are no older, and clocks that were never set begin before.
FIRST_YEAR, LAST_YEAR = 1990, 2099
#: Of the world's clocks, in minutes from UTC.
_WEST, _EAST = -12 * 60, 14 * 60
#: Beside whole and half hours: Nepal, Eucla, Chatham (also in summer).
_ODD_OFFSETS = frozenset({345, 525, 765, 825})
#: A position's time and the picture's are apart by that at most, where they tell the zone.
_GPS_PATIENCE = timedelta(minutes=1)
#: A date's text; what is longer is none.
_MAX_TEXT = 64

_OFFSET = r"(?:Z|[+-]\d{1,2}(?::?\d{2})?)"
#: "2026:06:13 15:04:05" and what else is met: other separators, blanks in place of zeros, no
#: seconds, fractions, halves of the day, zones.
_TEXT = re.compile(
    r"(?P<year>\d{4})[-:/. ] ?(?P<month>\d{1,2})[-:/. ] ?(?P<day>\d{1,2})(?:T|,? +)"
    r"(?P<hour>\d{1,2})[:.] ?(?P<minute>\d{1,2})(?:[:.] ?(?P<second>\d{1,2})(?:[.,:]\d{1,9})?)?"
    rf" ?(?P<half>[AaPp]\.?[Mm]\.?)? ?(?P<offset>{_OFFSET})?"
)
#: IPTC's, and ISO 8601's short form.
_SHORT = re.compile(
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})T?"
    rf"(?P<hour>\d{{2}})(?P<minute>\d{{2}})(?P<second>\d{{2}})(?P<half>)(?P<offset>{_OFFSET})?"
)
_XMP_NAMES = (
    b"exif:DateTimeOriginal",
    b"photoshop:DateCreated",
    b"xmp:CreateDate",
    b"xap:CreateDate",
    b"exif:DateTimeDigitized",
)
#: As an attribute or as an element; a parser of XML would follow entities without end.
_XMP_DATE = re.compile(
    rb"\b(" + rb"|".join(_XMP_NAMES) + rb")\s{0,9}(?:=\s{0,9}[\"']|>)([^<>\"']{8,64})[<\"']"
)
#: What is read of XMP: extended XMP holds whole pictures.
MAX_XMP_BYTES = 1024 * 1024
_IPTC_MARK, _IPTC_RECORD = 0x1C, 2
_IPTC_DATE, _IPTC_TIME = 55, 60
#: Photoshop's image resources, and the one that IPTC's records are.
_RESOURCE_MARK, _IPTC_RESOURCE = b"8BIM", 0x0404
#: Resources, and records of IPTC, that are looked at.
_MAX_RECORDS = 1000


@dataclass(frozen=True, slots=True)
class Taken:
    """The camera's clock, and the minutes by which it is ahead of UTC where that is known."""

    moment: datetime
    offset_minutes: int | None = None


def taken_of(
    exif: Exif, *, xmp: bytes = b"", iptc: bytes = b"", modified: bytes = b""
) -> Taken | None:
    """Return the first moment that is one, from the surest to the least sure; never raises.

    `xmp` is a packet, `iptc` are its records or Photoshop's image resources, `modified` is the
    content of a PNG's tIME.
    """
    found = list(_moments(exif, xmp, iptc))
    if not found:
        return _written(modified)
    taken = found[0]
    if taken.offset_minutes is not None:
        return taken
    # Another field says the same moment, and its zone.
    offsets = (other.offset_minutes for other in found if other.moment == taken.moment)
    offset = next((minutes for minutes in offsets if minutes is not None), None)
    return Taken(taken.moment, _offset_by_gps(taken.moment, exif) if offset is None else offset)


def moment_in(text: object, offset: object = None) -> Taken | None:
    """Return the moment that a field's text says, and its zone: its own, or what `offset` says.

    None for no text, for placeholders, and for what no camera's clock can have shown.
    """
    if (said := _text(text)) is None:
        return None
    found = _TEXT.fullmatch(said) or _SHORT.fullmatch(said)
    if found is None:
        return None
    year, month, day, hour, minute = (
        int(found[name]) for name in ("year", "month", "day", "hour", "minute")
    )
    second = int(found["second"] or 0)
    if half := found["half"]:
        hour = hour % 12 + (12 if half[0] in "Pp" else 0)
    elif hour == 24:  # phones that count an hour from 1 to 24 mean the day's first
        hour = 0
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        # A camera's clock knows no time zone.
        moment = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001
    except ValueError:
        return None
    return Taken(moment, _offset(found["offset"] or _text(offset)))


def _moments(exif: Exif, xmp: bytes, iptc: bytes) -> Iterator[Taken]:
    within = _fields(exif, IFD.Exif)
    texts = [
        (within.get(Base.DateTimeOriginal), within.get(Base.OffsetTimeOriginal)),
        (within.get(Base.DateTimeDigitized), within.get(Base.OffsetTimeDigitized)),
        *((text, None) for text in _xmp_texts(xmp)),
        (_iptc_text(iptc), None),
        (_field(exif, Base.DateTime), within.get(Base.OffsetTime)),
    ]
    for text, offset in texts:
        if (found := moment_in(text, offset)) is not None:
            yield found


def _text(value: object) -> str | None:
    if isinstance(value, bytes):
        value = value[: _MAX_TEXT + 1].decode("latin-1")
    if not isinstance(value, str):
        return None
    value = value.partition("\0")[0].strip()
    return value if len(value) <= _MAX_TEXT and value.isascii() else None


def _offset(text: str | None) -> int | None:
    if text is None or not re.fullmatch(_OFFSET, text):
        return None
    if text == "Z":
        return 0
    digits = text[1:].replace(":", "")
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")
    offset = int(hours) * 60 + int(minutes)
    return _of_the_world(-offset if text[0] == "-" else offset)


def _of_the_world(offset: int) -> int | None:
    is_usual = offset % 30 == 0 or offset in _ODD_OFFSETS
    return offset if is_usual and _WEST <= offset <= _EAST else None


def _fields(exif: Exif, part: IFD) -> Mapping[int, object]:
    try:
        return dict(exif.get_ifd(part))
    except Exception:  # noqa: BLE001 - a damaged block says nothing of the image
        return {}


def _field(exif: Exif, tag: Base) -> object:
    try:
        found: object = exif.get(tag)
    except Exception:  # noqa: BLE001 - a damaged block says nothing of the image
        return None
    return found


def _xmp_texts(xmp: bytes) -> list[bytes]:
    """Return the dates, the surest first."""
    found: dict[bytes, bytes] = {}
    for match in _XMP_DATE.finditer(xmp[:MAX_XMP_BYTES]):
        found.setdefault(match[1], match[2])
    return [found[name] for name in _XMP_NAMES if name in found]


def _iptc_text(iptc: bytes) -> bytes | None:
    """Return date and time; None where one of them is missing."""
    records = _iptc_records(iptc) if iptc.startswith(_RESOURCE_MARK) else iptc
    found: dict[int, bytes] = {}
    at = 0
    for _ in range(_MAX_RECORDS):
        head = records[at : at + 5]
        if len(head) < 5 or head[0] != _IPTC_MARK:
            break
        length = int.from_bytes(head[3:])
        if head[1] == _IPTC_RECORD:
            found.setdefault(head[2], records[at + 5 : at + 5 + length])
        at += 5 + length
    if _IPTC_DATE not in found or _IPTC_TIME not in found:
        return None
    return found[_IPTC_DATE].strip(b"\0 ") + b"T" + found[_IPTC_TIME]


def _iptc_records(resources: bytes) -> bytes:
    """Return IPTC's records of Photoshop's image resources (its file format's specification)."""
    at = 0
    for _ in range(_MAX_RECORDS):
        head = resources[at : at + 7]
        if len(head) < 7 or not head.startswith(_RESOURCE_MARK):
            break
        at += 6 + (head[6] + 2) // 2 * 2  # a name with its length, to an even number of bytes
        length = int.from_bytes(resources[at : at + 4])
        at += 4
        if int.from_bytes(head[4:6]) == _IPTC_RESOURCE:
            return resources[at : at + length]
        at += length + (length & 1)
    return b""


def _written(modified: bytes) -> Taken | None:
    """Return the moment of a PNG's tIME, which is in UTC."""
    if len(modified) != 7:
        return None
    year, month, day, hour, minute, second = struct.unpack(">H5B", modified)
    return moment_in(f"{year:04}-{month}-{day}T{hour}:{minute:02}:{min(second, 59):02}Z")


def _offset_by_gps(moment: datetime, exif: Exif) -> int | None:
    """Return the zone that makes the clock's time the satellites', if one does."""
    place = _fields(exif, IFD.GPSInfo)
    day, clock = _text(place.get(GPS.GPSDateStamp)), place.get(GPS.GPSTimeStamp)
    if day is None or not isinstance(clock, tuple) or len(clock) != 3:
        return None
    try:
        hours, minutes, seconds = map(float, clock)
        midnight = datetime.strptime(day.replace("-", ":"), "%Y:%m:%d").replace(tzinfo=UTC)
        utc = midnight + timedelta(hours=hours, minutes=minutes, seconds=seconds)
        apart = moment - utc.replace(tzinfo=None)
    except (ValueError, TypeError, ArithmeticError):
        return None
    offset = round(apart / timedelta(minutes=15)) * 15
    if abs(apart - timedelta(minutes=offset)) > _GPS_PATIENCE:
        return None
    return _of_the_world(offset)

"""The header of a Windows or OS/2 bitmap (BITMAPFILEHEADER, BITMAPCOREHEADER to BITMAPV5HEADER)."""

import struct
from dataclasses import dataclass
from typing import Final

from libs.common.images.reading.steps import Found, Span, Steps, exactly

FILE_HEADER_BYTES: Final = 14
_CORE_BYTES, _V5_BYTES = 12, 124
#: BITMAPCOREHEADER, BITMAPINFOHEADER and its additions, OS/2's second, V4 and V5.
HEADER_BYTES: Final = frozenset({_CORE_BYTES, 40, 52, 56, 64, 108, _V5_BYTES})
_OS2_BYTES: Final = 64
#: Above, a number of colours is damage, for Pillow too.
_MAX_COLOURS: Final = 65_536
_PLAIN, _BITFIELDS = 0, 3
_BITS: Final = frozenset({1, 4, 8, 16, 24, 32})
_PALETTE_BITS: Final = 8
#: Below, Pillow takes the height for one of thousands of millions.
_LEAST_HEIGHT: Final = -(1 << 24)
#: Which bits are red, green and blue, and how one sees through it, of those that Pillow reads.
_MASKS: Final[dict[int, set[tuple[int, ...]]]] = {
    16: {(0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F)},
    24: {(0xFF0000, 0xFF00, 0xFF)},
    32: {
        (0xFF0000, 0xFF00, 0xFF, 0),
        (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
        (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
        (0xFF000000, 0xFF0000, 0xFF00, 0),
        (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
        (0xFF000000, 0xFF00, 0xFF, 0),
        (0xFF000000, 0xFF00, 0xFF, 0xFF0000),
        (0, 0, 0, 0),
    },
}
_SHORT_MASKS_BYTES: Final = 12
#: Of a V5 header: the profile lies in the file, or elsewhere (a path on the maker's computer).
_EMBEDDED, _LINKED = b"DEBM", b"KNIL"


@dataclass(frozen=True, slots=True)
class Bitmap:
    """What a header says; all places are counted from the file's beginning, in bytes."""

    width: int
    height: int
    #: Where header, masks and palette end; in V5 a profile may follow, or lie behind the pixels.
    head_end: int
    pixels: Span
    bits: int
    #: Of each colour blue, green and red, and a fourth byte in all but the oldest headers.
    palette: Span | None
    colour_bytes: int
    is_top_down: bool
    profile: Span | None = None
    is_profile_elsewhere: bool = False
    oddity: str | None = None


def parse() -> Steps[Found]:
    """Return its size, and where its pixels end; raises ValueError or CutOff for what is none."""
    bitmap = yield from read()
    end = bitmap.pixels.start + bitmap.pixels.length
    return Found(bitmap.width, bitmap.height, oddity=bitmap.oddity, end=end)


def read() -> Steps[Bitmap]:
    """Return what the header says; raises ValueError or CutOff for what is none."""
    start = yield from exactly(0, FILE_HEADER_BYTES + 4)
    pixels_at, header_bytes = struct.unpack_from("<II", start, 10)
    if header_bytes not in HEADER_BYTES:
        msg = f"a header of {header_bytes} bytes"
        raise ValueError(msg)
    header = yield from exactly(FILE_HEADER_BYTES, header_bytes)
    end = FILE_HEADER_BYTES + header_bytes
    if header_bytes == _CORE_BYTES:
        width, height, bits = struct.unpack_from("<HH2xH", header, 4)
        compression, colours = _PLAIN, 0
    else:
        width, height, bits, compression, colours = struct.unpack_from("<ii2xHI12xI", header, 4)
    oddity = _oddity(header_bytes, bits, compression)
    if oddity is None and compression == _BITFIELDS:
        masks = header[40:56]
        if header_bytes == 40:
            masks = yield from exactly(end, _SHORT_MASKS_BYTES)
            end += _SHORT_MASKS_BYTES
        oddity = _odd_masks(masks, bits)
    palette, colour_bytes = None, 3 if header_bytes == _CORE_BYTES else 4
    if bits <= _PALETTE_BITS:
        colours = colours or 1 << bits
        if colours > _MAX_COLOURS:
            msg = f"{colours} colours"
            raise ValueError(msg)
        palette = Span(end, colours * colour_bytes)
        end += palette.length
    if width < 1 or not height or height < _LEAST_HEIGHT:
        msg = f"{width} x {height} pixels"
        raise ValueError(msg)
    is_top_down, height = height < 0, abs(height)
    line_bytes = (width * bits + 31) // 32 * 4
    pixels = Span(pixels_at or end, line_bytes * height)
    profile, is_elsewhere = _profile(header)
    return Bitmap(
        width,
        height,
        end,
        pixels,
        bits,
        palette,
        colour_bytes,
        is_top_down,
        profile=profile,
        is_profile_elsewhere=is_elsewhere,
        oddity=oddity,
    )


def _oddity(header_bytes: int, bits: int, compression: int) -> str | None:
    # The same numbers mean another coding in OS/2's header.
    plain = {_PLAIN} if header_bytes == _OS2_BYTES else {_PLAIN, _BITFIELDS}
    if compression not in plain:
        return "with compressed pixels"
    return None if bits in _BITS else f"with {bits} bits a pixel"


def _odd_masks(masks: bytes, bits: int) -> str | None:
    numbers = struct.unpack(f"<{len(masks) // 4}I", masks)
    told = (*numbers, 0)[:4] if bits == 32 else numbers[:3]
    return None if told in _MASKS.get(bits, ()) else "with unusual channels"


def _profile(header: bytes) -> tuple[Span | None, bool]:
    if len(header) < _V5_BYTES:
        return None, False
    kind = header[56:60]
    at, length = struct.unpack_from("<II", header, 112)
    if kind == _EMBEDDED and at and length:
        return Span(FILE_HEADER_BYTES + at, length), False
    return None, kind == _LINKED
